package storage_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// renamed makes a store pass for one of another provider.
type renamed struct {
	storage.Driver
	provider string
}

func (r renamed) Describe() storage.Description {
	desc := r.Driver.Describe()
	desc.Provider = r.provider
	return desc
}

func storeOf(provider string) storage.Bucket {
	return memstore.New(storage.WithLayer(func(next storage.Driver) storage.Driver { return renamed{next, provider} }))
}

// usersBucket is a type that embeds a Bucket: of what is behind it nothing is known.
type usersBucket struct{ storage.Bucket }

// asked keeps what an Upload is asked for.
type asked struct{ storage.PutRequest }

func (a *asked) Upload(_ context.Context, _ string, body io.Reader, opts ...storage.UploadOption) (*storage.Attrs, error) {
	_, _ = io.Copy(io.Discard, body)
	return &storage.Attrs{}, a.Apply(opts...)
}

func TestAStorageClassIsCopiedWithinOneProvider(t *testing.T) {
	for _, row := range []struct {
		name     string
		from, to storage.Bucket
		opts     []storage.CopyOption
		want     string
	}{
		{"from one store to another of the provider", storeOf("a"), storeOf("a"), nil, "COLD"},
		{"from another provider", storeOf("b"), storeOf("a"), nil, ""},
		{"from another provider, with an option", storeOf("b"), storeOf("a"), []storage.CopyOption{storage.WithStorageClass("WARM")}, "WARM"},
		{"within the provider, with an option", storeOf("a"), storeOf("a"), []storage.CopyOption{storage.WithStorageClass("WARM")}, "WARM"},
		{"from a user's type", usersBucket{storeOf("a")}, storeOf("a"), nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := row.from.Upload(t.Context(), "k", strings.NewReader("x"), storage.WithStorageClass("COLD"))
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), row.to, "k", row.from, "k", row.opts...)
			require.NoError(t, err)
			attrs, err := row.to.Attrs(t.Context(), "k")
			require.NoError(t, err)
			require.Equal(t, row.want, attrs.StorageClass)

			users := &asked{}
			_, err = storage.Copy(t.Context(), users, "k", row.from, "k", row.opts...)
			require.NoError(t, err)
			given := ""
			if row.opts != nil {
				given = row.want
			}
			require.Equal(t, given, users.StorageClass, "to a user's type")
		})
	}
}
