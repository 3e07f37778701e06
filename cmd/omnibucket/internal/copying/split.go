package copying

import (
	"context"
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/transfer"
)

// splitCommand returns the command "job split".
func splitCommand(p *program.Program) *cobra.Command {
	var inventory string
	c := &cobra.Command{
		Use:   "split N SOURCE",
		Short: "Print ranges of keys for N shards",
		Long: `Lists a bucket or a folder in one once, and prints the bounds of N ranges that have about as many keys
each. With 64 shards they differ by a few percent. Every "omnibucket sync --shard I/N --shard-bounds FILE"
reads them, and lists only its range. Without bounds, each shard lists everything.`,
		Example: "  omnibucket job split 64 's3://photos?region=eu-west-1' >bounds.json",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			const bits = 20 // so that N is at most about a million
			n, err := strconv.ParseUint(args[0], 10, bits)
			if err != nil || n == 0 {
				return argument.Invalid("N must be a number of shards, at least 1", "")
			}
			return split(c.Context(), p, int(n), args[1], inventory)
		},
	}
	program.InventoryFlag(c.Flags(), &inventory)
	return c
}

// split prints the keys that divide a source into n ranges of about as many objects each.
func split(ctx context.Context, p *program.Program, n int, source, inventory string) error {
	l, err := p.Stores.LocateInBucket(source)
	if err != nil {
		return err
	}
	bucket, err := p.Stores.OpenFolder(ctx, l)
	if err != nil {
		return err
	}

	listing, err := p.Stores.OpenInventory(ctx, inventory, bucket)
	if err != nil {
		return err
	}
	// The inventory, if there is one, replaces the listing of the bucket.
	var src storage.Lister = bucket
	if listing != nil {
		src = listing
	}

	bounds, err := transfer.ShardBounds(ctx, src, n)
	if err != nil {
		return err
	}
	return p.Out.JSON(bounds)
}

// readBounds reads a file with the output of "job split", the keys that separate the ranges of the shards.
func readBounds(ctx context.Context, p *program.Program, file string) ([]string, error) {
	l, err := p.Stores.LocateInBucket(file)
	if err != nil {
		return nil, err
	}
	bucket, err := p.Stores.Open(ctx, l)
	if err != nil {
		return nil, err
	}
	text, _, err := storage.ReadAll(ctx, bucket, l.Key)
	if err != nil {
		return nil, err
	}

	var bounds []string
	if json.Unmarshal(text, &bounds) != nil {
		return nil, argument.Invalid("--shard-bounds must be a file of \"omnibucket job split\"", "")
	}
	return bounds, nil
}
