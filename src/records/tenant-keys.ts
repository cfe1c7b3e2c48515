/** @file Redis keys of what is kept about tenants themselves. */

export function tenantKeys(prefix: string) {
  return {
    /** Hash: tenant → JSON of what was set for it; `*`: what holds where nothing was. */
    settings: `${prefix}:tenants:settings`,
    /** Hash: what the tenant's models, data sets and jobs take, id → bytes; `total`: their sum. */
    stored: (tenant: string) => `${prefix}:tenant:${tenant}:stored`,
    /** Hash: bytes uploaded of late, and when that was reckoned. */
    uploads: (tenant: string) => `${prefix}:tenant:${tenant}:uploads`,
  };
}
