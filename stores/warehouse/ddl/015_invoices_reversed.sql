-- What went back of what was paid, by refunds and disputes; in minor units.
ALTER TABLE invoices_mirror ADD COLUMN IF NOT EXISTS reversed_minor Int64 DEFAULT 0
