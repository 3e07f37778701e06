package azure_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/azure"
)

// Vended credentials for a container permit only the vended right, and only in that container. Azurite has no
// hierarchical namespace, which credentials for a directory would need.
func TestVendContainer(t *testing.T) {
	emulator := needAzurite(t)
	c := azure.Config{
		Bucket:     emulator.container(t),
		Endpoint:   emulator.endpoint,
		Key:        azuriteKey,
		HTTPClient: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	program, err := azure.Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, storage.Close(program))
	})

	// Each call needs the right that has the call's name.
	calls := map[string]func(b storage.Bucket) error{
		"read": func(b storage.Bucket) error {
			_, err := b.Attrs(t.Context(), "a")
			return err
		},
		"list": func(b storage.Bucket) error {
			_, err := storage.ListPage(t.Context(), b, "")
			return err
		},
		"write": func(b storage.Bucket) error {
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
			return err
		},
		"remove": func(b storage.Bucket) error { return b.Remove(t.Context(), "a") },
	}

	// openWith opens a container with vended credentials, as a client of the program does.
	openWith := func(t *testing.T, bucket string, v *storage.VendedCredentials) storage.Bucket {
		client := c
		client.Key = ""
		client.Bucket = bucket
		client.CredentialsFor = azure.Vended(func(context.Context, string) (*storage.VendedCredentials, error) {
			return v, nil
		})
		b, err := azure.Open(t.Context(), client)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, storage.Close(b)) })
		return b
	}

	for right, rights := range map[string]storage.Rights{
		"read":   {Read: true},
		"list":   {List: true},
		"write":  {Write: true},
		"remove": {Remove: true},
	} {
		t.Run(right, func(t *testing.T) {
			require.NoError(t, calls["write"](program))
			v, err := storage.Vend(t.Context(), program, "", rights, time.Hour)
			require.NoError(t, err)
			b := openWith(t, c.Bucket, v)

			// All other calls fail, and leave the object.
			for name, call := range calls {
				if name != right {
					require.Error(t, call(b), name)
				}
			}
			require.NoError(t, calls["read"](program), "the object must still be there")

			// The call succeeds. It fails in another container, and if a permission in the
			// signature was changed.
			require.NoError(t, calls[right](b))
			require.Error(t, calls[right](openWith(t, emulator.container(t), v)), "another container")

			forged := *v
			forged.Token = strings.Replace(v.Token, "sp=", "sp=a", 1)
			require.Error(t, calls[right](openWith(t, c.Bucket, &forged)), "a changed signature")
		})
	}
}
