package gcs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// An object with a customer's key is read, copied and composed only with the key. Without it, Attrs has no
// checksum, and Remove still succeeds.
func TestWithCustomerKeyObjects(t *testing.T) {
	key := bytes.Repeat([]byte("k"), 32)
	other := bytes.Repeat([]byte("o"), 32)
	keyOption := gcs.WithCustomerKey(key)
	withOther := gcs.WithCustomerKey(other)
	source := gcs.WithSourceCustomerKey(key)
	sum := sha256.Sum256(key)
	encryption := storage.Encryption{Algorithm: "AES256", KeyID: base64.StdEncoding.EncodeToString(sum[:])}
	large := strings.Repeat("0123456789abcdef", 700<<10/16)

	tests := []struct {
		name   string
		config func(t *testing.T, s *ruleServer) gcs.Config
	}{
		{"own requests", func(_ *testing.T, s *ruleServer) gcs.Config { return gcs.Config{Endpoint: s.URL} }},
		{"parallel composite", func(_ *testing.T, s *ruleServer) gcs.Config {
			return gcs.Config{Endpoint: s.URL, ParallelComposite: true}
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startRuleServer(t)
			c := tt.config(t, s)
			c.Bucket = s.bucket(ruleBucket{})
			b, err := gcs.Open(t.Context(), c)
			require.NoError(t, err)
			ctx := t.Context()
			reads := func(key, content string, opts ...storage.DownloadOption) {
				t.Helper()
				got, _, err := storage.ReadAll(ctx, b, key, opts...)
				require.NoError(t, err)
				require.Equal(t, content, string(got))
			}
			unreadable := func(key string, opts ...storage.DownloadOption) {
				t.Helper()
				_, _, err := storage.ReadAll(ctx, b, key, opts...)
				var e *storage.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, storage.InvalidArgument, e.Code, "%v", err)
				require.Contains(t, e.Hint, "WithCustomerKey")
			}

			for name, content := range map[string]string{"small": "text", "large": large} {
				opts := []storage.UploadOption{keyOption, storage.IfAbsent(), storage.WithTags(map[string]string{"k": "v"})}
				opts = append(opts, storage.WithPartSize(256<<10))

				uploaded, err := b.Upload(ctx, name, strings.NewReader(content), opts...)
				require.NoError(t, err)
				require.Equal(t, encryption, uploaded.Encryption)

				attrs, err := b.Attrs(ctx, name, keyOption)
				require.NoError(t, err)
				require.Equal(t, encryption, attrs.Encryption)
				require.True(t, attrs.CRC32C.Known)

				attrs, err = b.Attrs(ctx, name)
				require.NoError(t, err, "attributes need no key")
				require.False(t, attrs.CRC32C.Known, "but have no checksum then")

				reads(name, content, keyOption)
				reads(name, content[2:], keyOption, storage.WithRange(2, -1))
				unreadable(name)
				unreadable(name, withOther)
			}

			require.NoError(t, storage.SetTags(ctx, b, "small", map[string]string{"new": "1"}, keyOption))
			r, err := storage.NewReaderAt(ctx, b, "small", keyOption)
			require.NoError(t, err)
			p := make([]byte, 2)
			_, err = r.ReadAt(p, 1)
			require.NoError(t, err)
			require.Equal(t, "ex", string(p))

			_, err = storage.Copy(ctx, b, "plain", b, "large", source)
			require.NoError(t, err)
			reads("plain", large)
			unreadable("plain", keyOption)
			_, err = storage.Copy(ctx, b, "other", b, "large", source, withOther)
			require.NoError(t, err)
			reads("other", large, withOther)

			_, err = storage.Copy(ctx, b, "fails", b, "large", keyOption)
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "the source has a key: %v", err)

			_, err = storage.Compose(ctx, b, "joined", []string{"small", "small"}, source, keyOption)
			require.NoError(t, err)
			reads("joined", "texttext", keyOption)
			_, err = storage.Compose(ctx, b, "joined", []string{"small", "small"}, source, withOther)
			require.NoError(t, err, "streamed: Google has one key for all")
			reads("joined", "texttext", withOther)
			many := make([]string, 70)
			for i := range many {
				many[i] = "small"
			}
			_, err = storage.Compose(ctx, b, "many", many, source, keyOption)
			require.NoError(t, err)
			reads("many", strings.Repeat("text", 70), keyOption)
			require.NoError(t, b.Remove(ctx, "small"))

			for _, name := range s.names(c.Bucket) {
				require.False(t, strings.HasPrefix(name, ".omnibucket."), name)
			}
		})
	}
}
