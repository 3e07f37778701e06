package pages

import (
	"context"
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
)

// take moves money out of an account. The entries of the log are the changes of the account, in order. Even if several
// processes call take at once, the account never gets below zero.
func take(ctx context.Context, bucket storage.Bucket, amount int) error {
	log, err := commit.New(bucket, "accounts/eva/")
	if err != nil {
		return err
	}
	_, err = log.Append(ctx, func(last int64) ([]byte, error) {
		balance := 100
		for entry, err := range log.From(ctx, 1) { // another process may have added entries
			if err != nil {
				return nil, err
			}
			var taken int
			if _, err := fmt.Sscan(string(entry.Data), &taken); err != nil {
				return nil, err
			}
			balance -= taken
		}
		if balance < amount {
			return nil, fmt.Errorf("only %d are left", balance)
		}
		// Append stores this as entry last+1. If another process was faster, Append calls this
		// function again.
		return fmt.Append(nil, amount), nil
	})
	return err
}
