"""What tenants have beside their plans: coupons, add-ons, one-off items, credits."""
