package googlekms

import (
	"context"

	"github.com/omnibucket/storage/layers/encrypt"
)

func init() {
	encrypt.RegisterService("googlekms", func(ctx context.Context, key string) (encrypt.Keys, error) {
		return New(ctx, Config{Key: key})
	})
}
