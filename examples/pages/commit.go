package pages

import (
	"context"
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/commit"
)

// take moves money out of an account. The entries of the log are all changes in their order. However many processes
// call it at once, the account never gets below zero.
func take(ctx context.Context, bucket storage.Bucket, amount int) error {
	log, err := commit.New(bucket, "accounts/eva/")
	if err != nil {
		return err
	}
	_, err = log.Append(ctx, func(last int64) ([]byte, error) {
		balance := 100
		for entry, err := range log.From(ctx, 1) { // as it is now: another process may just have been faster
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
		return fmt.Append(nil, amount), nil // becomes entry last+1 if nobody was faster, or is decided again
	})
	return err
}
