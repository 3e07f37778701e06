package awskms

import (
	"context"

	"github.com/omnibucket/storage/layers/encrypt"
)

func init() {
	encrypt.RegisterService("awskms", func(ctx context.Context, key string) (encrypt.Keys, error) {
		return New(ctx, Config{Key: key})
	})
}
