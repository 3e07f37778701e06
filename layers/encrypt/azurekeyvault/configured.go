package azurekeyvault

import (
	"context"

	"github.com/omnibucket/storage/layers/encrypt"
)

func init() {
	encrypt.RegisterService("azurekeyvault", func(_ context.Context, key string) (encrypt.Keys, error) {
		return New(Config{Key: key})
	})
}
