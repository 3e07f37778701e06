package program

import (
	"context"
	"iter"
	"time"

	"github.com/spf13/pflag"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/transfer"
)

// InventoryFlag adds --inventory.
func InventoryFlag(flags *pflag.FlagSet, text *string) {
	flags.StringVar(
		text, "inventory", "",
		"read the objects of the bucket from the inventory with this `manifest` in place of listing them",
	)
}

// OpenInventory opens the inventory of a bucket whose manifest is at the location text. If text is "",
// it returns nil.
func (s *Stores) OpenInventory(ctx context.Context, text string, bucket storage.ReadWriter) (*transfer.Inventory, error) {
	if text == "" {
		return nil, nil
	}
	l, err := s.LocateInBucket(text)
	if err != nil {
		return nil, err
	}
	if l.Key == "" || l.IsFolder() {
		return nil, argument.Invalid(
			"--inventory must be the location of a manifest",
			"such as s3://reports/photos/daily/2026-01-02T00-00Z/manifest.json",
		)
	}
	reports, err := s.Open(ctx, l)
	if err != nil {
		return nil, err
	}
	return transfer.OpenInventory(ctx, bucket, reports, l.Key, nil)
}

// InventoryOption returns the option with which a job reads an inventory in place of listing the bucket.
// text is the location of the inventory's manifest. If text is "", there is no option.
func (s *Stores) InventoryOption(ctx context.Context, text string, bucket storage.ReadWriter) ([]transfer.Option, error) {
	inventory, err := s.OpenInventory(ctx, text, bucket)
	if err != nil {
		return nil, err
	}
	if inventory == nil {
		return nil, nil
	}
	return []transfer.Option{transfer.WithInventory(inventory)}, nil
}

// Inventoried returns a bucket whose listing comes from an inventory, and prints how old the inventory
// is. text is the location of the inventory's manifest. If text is "", Inventoried returns b.
func (p *Program) Inventoried(ctx context.Context, text string, b storage.Bucket) (storage.Bucket, error) {
	inventory, err := p.Stores.OpenInventory(ctx, text, b)
	if err != nil {
		return nil, err
	}
	if inventory == nil {
		return b, nil
	}
	p.Note("the inventory is %s old", time.Since(inventory.Taken).Round(time.Second))
	return inventoryBucket{Bucket: b, inventory: inventory}, nil
}

// An inventoryBucket is a bucket whose listing comes from its inventory.
type inventoryBucket struct {
	storage.Bucket
	inventory *transfer.Inventory
}

func (b inventoryBucket) List(ctx context.Context, opts ...storage.ListOption) iter.Seq2[storage.ListEntry, error] {
	return b.inventory.List(ctx, opts...)
}
