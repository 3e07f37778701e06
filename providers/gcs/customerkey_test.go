package gcs_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/providers/gcs"
)

// An object with a customer's key can be used by every operation, and by none without the key.
func TestObjectsWithACustomersKey(t *testing.T) {
	key, other := bytes.Repeat([]byte("k"), 32), bytes.Repeat([]byte("o"), 32)
	with, withOther, source := gcs.WithCustomerKey(key), gcs.WithCustomerKey(other), gcs.WithSourceCustomerKey(key)
	sum := sha256.Sum256(key)
	encryption := storage.Encryption{Algorithm: "AES256", KeyID: base64.StdEncoding.EncodeToString(sum[:])}
	large := strings.Repeat("0123456789abcdef", 700<<10/16)
	for _, row := range []struct {
		name   string
		config func(t *testing.T, s *ruleServer) gcs.Config
	}{
		{"own requests", func(_ *testing.T, s *ruleServer) gcs.Config { return gcs.Config{Endpoint: s.URL} }},
		{"parallel composite", func(_ *testing.T, s *ruleServer) gcs.Config {
			return gcs.Config{Endpoint: s.URL, ParallelComposite: true}
		}},
		{"a given client", func(t *testing.T, s *ruleServer) gcs.Config {
			return gcs.Config{Client: sdkClient(t, s.URL, &http.Transport{DisableKeepAlives: true, DisableCompression: true})}
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := startRuleServer(t)
			c := row.config(t, s)
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
				opts := []storage.UploadOption{with, storage.IfAbsent(), storage.WithTags(map[string]string{"k": "v"})}
				if c.Client == nil {
					opts = append(opts, storage.WithPartSize(256<<10))
				}
				written, err := b.Upload(ctx, name, strings.NewReader(content), opts...)
				require.NoError(t, err)
				require.Equal(t, encryption, written.Encryption)
				attrs, err := b.Attrs(ctx, name, with)
				require.NoError(t, err)
				require.Equal(t, encryption, attrs.Encryption)
				require.True(t, attrs.CRC32C.Known)
				attrs, err = b.Attrs(ctx, name)
				require.NoError(t, err, "attributes need no key")
				require.False(t, attrs.CRC32C.Known, "but have no checksum then")
				reads(name, content, with)
				reads(name, content[2:], with, storage.WithRange(2, -1))
				unreadable(name)
				unreadable(name, withOther)
			}
			require.NoError(t, storage.SetTags(ctx, b, "small", map[string]string{"new": "1"}, with))
			at, err := storage.NewReaderAt(ctx, b, "small", with)
			require.NoError(t, err)
			p := make([]byte, 2)
			_, err = at.ReadAt(p, 1)
			require.NoError(t, err)
			require.Equal(t, "ex", string(p))

			_, err = storage.Copy(ctx, b, "plain", b, "large", source)
			require.NoError(t, err)
			reads("plain", large)
			unreadable("plain", with)
			_, err = storage.Copy(ctx, b, "other", b, "large", source, withOther)
			require.NoError(t, err)
			reads("other", large, withOther)
			_, err = storage.Copy(ctx, b, "fails", b, "large", with)
			require.Equal(t, storage.InvalidArgument, storage.CodeOf(err), "the source has a key: %v", err)

			_, err = storage.Compose(ctx, b, "joined", []string{"small", "small"}, source, with)
			require.NoError(t, err)
			reads("joined", "texttext", with)
			_, err = storage.Compose(ctx, b, "joined", []string{"small", "small"}, source, withOther)
			require.NoError(t, err, "streamed: Google has one key for all")
			reads("joined", "texttext", withOther)
			many := make([]string, 70)
			for i := range many {
				many[i] = "small"
			}
			_, err = storage.Compose(ctx, b, "many", many, source, with)
			require.NoError(t, err)
			reads("many", strings.Repeat("text", 70), with)
			require.NoError(t, b.Remove(ctx, "small"))
			for _, name := range s.names(c.Bucket) {
				require.False(t, strings.HasPrefix(name, ".omnibucket."), name)
			}
		})
	}
}

func TestObjectsWithAKMSKey(t *testing.T) {
	const key = "projects/p/locations/eu/keyRings/r/cryptoKeys/k"
	s := startRuleServer(t)
	for name, c := range map[string]gcs.Config{
		"own requests":       {Endpoint: s.URL},
		"parallel composite": {Endpoint: s.URL, ParallelComposite: true},
		"a given client":     {Client: sdkClient(t, s.URL, &http.Transport{DisableKeepAlives: true, DisableCompression: true})},
	} {
		t.Run(name, func(t *testing.T) {
			c.KMSKey, c.Bucket = key, s.bucket(ruleBucket{})
			b, err := gcs.Open(t.Context(), c)
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "a", strings.NewReader("x"))
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), b, "b", b, "a")
			require.NoError(t, err)
			_, err = storage.Compose(t.Context(), b, "c", []string{"a", "b"})
			require.NoError(t, err)
			_, err = b.Upload(t.Context(), "d", strings.NewReader(strings.Repeat("x", 9<<20)))
			require.NoError(t, err)
			for _, name := range []string{"a", "b", "c", "d"} {
				attrs, err := b.Attrs(t.Context(), name)
				require.NoError(t, err)
				require.Equal(t, storage.Encryption{KeyID: key + "/cryptoKeyVersions/1"}, attrs.Encryption, name)
				_, attrs, err = storage.ReadAll(t.Context(), b, name)
				require.NoError(t, err)
				require.Equal(t, storage.Encryption{KeyID: key + "/cryptoKeyVersions/1"}, attrs.Encryption, name)
			}
		})
	}
}

func TestTheBypassOfARetentionDoesNothingByHalf(t *testing.T) {
	for name, row := range map[string]struct {
		lock ruleControls
		code storage.Code
	}{
		"nothing else":        {ruleControls{}, ""},
		"a hold":              {ruleControls{TemporaryHold: true}, storage.Locked},
		"an event-based hold": {ruleControls{EventBasedHold: true}, storage.Locked},
	} {
		t.Run(name, func(t *testing.T) {
			s := startRuleServer(t)
			bucket := s.bucket(ruleBucket{locking: true})
			b := openAt(t, s.URL, bucket)
			until := lockedUntil()
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithRetention(until, storage.Governance))
			require.NoError(t, err)
			s.change(bucket, "a", func(o *ruleObject) {
				o.TemporaryHold, o.EventBasedHold = row.lock.TemporaryHold, row.lock.EventBasedHold
			})
			require.ErrorIs(t, b.Remove(t.Context(), "a"), storage.Locked)
			_, err = b.Upload(t.Context(), "a", strings.NewReader("y"))
			require.ErrorIs(t, err, storage.Locked, "the bucket keeps no versions")
			_, err = storage.Copy(t.Context(), b, "a", b, "a", storage.WithContentType("text/x-new"))
			require.ErrorIs(t, err, storage.Locked)
			err = b.Remove(t.Context(), "a", storage.WithGovernanceBypass())
			require.Equal(t, row.code, storage.CodeOf(err), "%v", err)
			attrs, err := b.Attrs(t.Context(), "a")
			if row.code == "" {
				require.ErrorIs(t, err, storage.ObjectNotFound)
				return
			}
			require.NoError(t, err)
			require.Equal(t, storage.Retention{Mode: storage.Governance, Until: until}, attrs.Retention, "it stays")
		})
	}
}

func TestARestoreNeedsAnObject(t *testing.T) {
	s := startRuleServer(t)
	b := openAt(t, s.URL, s.bucket(ruleBucket{}))
	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithStorageClass("ARCHIVE"))
	require.NoError(t, err)
	require.NoError(t, storage.Restore(t.Context(), b, "a"))
	require.ErrorIs(t, storage.Restore(t.Context(), b, "missing"), storage.ObjectNotFound)
}

func TestTagsThatGoogleWouldRefuse(t *testing.T) {
	s := startRuleServer(t)
	bucket := s.bucket(ruleBucket{})
	b := openAt(t, s.URL, bucket)
	for given, want := range map[string]string{
		"plain": "plain", "": "0~", "-a": "0~-a", "a/b": "0~a~b", "/": "0~~", "0": "0", "a=b c": "a=b c", " a": "0~ a", "google": "google",
	} {
		t.Run(fmt.Sprintf("%q", given), func(t *testing.T) {
			tags := map[string]string{"value": given}
			_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithTags(tags))
			require.NoError(t, err)
			s.change(bucket, "a", func(o *ruleObject) { require.Equal(t, want, o.Contexts.Custom["value"].Value) })
			got, err := storage.Tags(t.Context(), b, "a")
			require.NoError(t, err)
			require.Equal(t, tags, got)
		})
	}
	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"), storage.WithTags(map[string]string{"Google": "v"}))
	require.NoError(t, err)
	s.change(bucket, "a", func(o *ruleObject) { require.Contains(t, o.Contexts.Custom, "0~Google") })

	// Contexts of other clients come back, and are copied.
	s.change(bucket, "a", func(o *ruleObject) { o.Contexts.Custom = map[string]*ruleContext{"été": {"x~y"}} })
	_, err = storage.Copy(t.Context(), b, "b", b, "a", storage.WithContentType("text/x-new"))
	require.NoError(t, err)
	got, err := storage.Tags(t.Context(), b, "b")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"été": "x~y"}, got)
}

func TestTagsChangeOnlyIfNoOtherClientChangesThem(t *testing.T) {
	s := startRuleServer(t)
	bucket := s.bucket(ruleBucket{})
	b := openAt(t, s.URL, bucket)
	_, err := b.Upload(t.Context(), "a", strings.NewReader("x"))
	require.NoError(t, err)
	s.beforePatch = func(o *ruleObject) {
		o.Contexts, o.Metageneration = &ruleContexts{map[string]*ruleContext{"theirs": {"1"}}}, "2"
	}
	require.NoError(t, storage.SetTags(t.Context(), b, "a", map[string]string{"ours": "1"}))
	got, err := storage.Tags(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"ours": "1"}, got)
}
