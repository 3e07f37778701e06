package encrypt_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/auth"
	"filippo.io/age"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/kmsserver"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/layers/encrypt/awskms"
	"github.com/omnibucket/storage/layers/encrypt/azurekeyvault"
	"github.com/omnibucket/storage/layers/encrypt/googlekms"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// A kmsKind is one of the services, and how its keys are opened.
type kmsKind struct {
	start        func(t testing.TB) *kmsserver.Server
	wrap, unwrap string             // its operations
	key          func(n int) string // the name of a key at the server
	stanza       string             // the type
	open         func(s *kmsserver.Server, key, bucket, secret string) (encrypt.Keys, error)
	secret       string // the right one
}

func newKMSKinds(t testing.TB) map[string]kmsKind {
	return map[string]kmsKind{
		"AWS": {
			start:  kmsserver.StartAWS,
			wrap:   "Encrypt",
			unwrap: "Decrypt",
			stanza: "github.com/omnibucket/awskms",
			secret: kmsserver.SecretKey,
			key:    func(n int) string { return fmt.Sprintf("arn:aws:kms:eu-west-1:111122223333:key/key-%d", n) },
			open: func(s *kmsserver.Server, key, bucket, secret string) (encrypt.Keys, error) {
				return awskms.New(t.Context(), awskms.Config{Key: key, Bucket: bucket, AWS: &aws.Config{
					Region:       "us-east-1",
					BaseEndpoint: aws.String(s.URL),
					HTTPClient:   testserver.Client(),
					Credentials:  credentials.NewStaticCredentialsProvider(kmsserver.AccessKeyID, secret, ""),
				}})
			},
		},
		"Google": {
			start:  kmsserver.StartGoogle,
			wrap:   "encrypt",
			unwrap: "decrypt",
			stanza: "github.com/omnibucket/googlekms",
			secret: kmsserver.Token,
			key: func(n int) string {
				return fmt.Sprintf("projects/p/locations/europe-west1/keyRings/r/cryptoKeys/key-%d", n)
			},
			open: func(s *kmsserver.Server, key, bucket, secret string) (encrypt.Keys, error) {
				return googlekms.New(t.Context(), googlekms.Config{
					Key:         key,
					Bucket:      bucket,
					Endpoint:    s.URL,
					HTTPClient:  testserver.Client(),
					Credentials: auth.NewCredentials(&auth.CredentialsOptions{TokenProvider: kmsserver.Credential{Value: secret}}),
				})
			},
		},
		"Azure": {
			start:  kmsserver.StartAzure,
			wrap:   "wrapkey",
			unwrap: "unwrapkey",
			stanza: "github.com/omnibucket/azurekeyvault",
			secret: kmsserver.Token,
			key:    func(n int) string { return fmt.Sprintf("key-%d", n) },
			open: func(s *kmsserver.Server, key, bucket, secret string) (encrypt.Keys, error) {
				return azurekeyvault.New(azurekeyvault.Config{
					Key:        kmsserver.Vault + "/keys/" + key,
					Bucket:     bucket,
					HTTPClient: s.VaultClient(),
					Credential: kmsserver.Credential{Value: secret},
				})
			},
		},
	}
}

// A kmsTest has a server with two keys.
type kmsTest struct {
	kmsKind
	server *kmsserver.Server
}

// runOnServices runs a test with each service.
func runOnServices(t *testing.T, test func(t *testing.T, k kmsTest)) {
	for name, kind := range newKMSKinds(t) {
		t.Run(name, func(t *testing.T) {
			k := kmsTest{kind, kind.start(t)}
			k.server.AddKey(k.key(1))
			k.server.AddKey(k.key(2))
			test(t, k)
		})
	}
}

func (k kmsTest) keys(t testing.TB, n int) encrypt.Keys {
	keys, err := k.open(k.server, k.key(n), "", k.secret)
	require.NoError(t, err)
	return keys
}

func once(d driver.Driver, layer driver.Layer) storage.Bucket {
	return engine.New(d, driver.WithLayer(layer), storage.WithRetry(storage.RetryPolicy{Attempts: 1}))
}

// A key management service wraps the data key of each object.
func TestKMSWrapsKey(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		offline, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		emergency := encrypt.NewKeys([]age.Recipient{offline.Recipient()}, nil)
		keys := k.keys(t, 1)
		joined := encrypt.JoinKeys([]encrypt.Keys{keys, emergency}, []encrypt.Keys{keys})
		s := newStore()
		content := text(5*chunk + 1)
		b := s.open(t, joined)

		mustUpload(t, b, "a", content)
		require.Equal(t, 1, k.server.Count(k.wrap))
		require.Zero(t, k.server.Count(k.unwrap))

		b = s.open(t, joined) // it remembers nothing
		_, err = b.Attrs(t.Context(), "a")
		require.NoError(t, err)
		for _, err := range b.List(t.Context()) {
			require.NoError(t, err)
		}

		require.Zero(t, k.server.Count(k.unwrap), "attributes need no key")
		got, _, err := storage.ReadAll(t.Context(), b, "a")
		require.NoError(t, err)
		require.Equal(t, content, string(got))

		got, _, err = storage.ReadAll(t.Context(), b, "a", storage.WithRange(chunk, 5))
		require.NoError(t, err)
		require.Equal(t, content[chunk:chunk+5], string(got))
		require.Equal(t, 1, k.server.Count(k.unwrap), "one for each object")
		require.Equal(t, 1, k.server.Count(k.wrap))

		object := s.get(t, "a")
		require.Contains(t, object.header(), "-> "+k.stanza+" ")
		require.NotContains(t, object.header(), "111122223333", "the header does not tell the account")

		r, err := age.Decrypt(bytes.NewReader(ageFile(t, object)), offline)
		require.NoError(t, err)
		got, err = io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, content, string(got), "without the service")
	})
}

// Concurrent reads of an object share one Unwrap request and its failure. If the context of one read ends, the
// other reads still succeed.
func TestKMSUnwrapsOnceForReadsAtOnce(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		s := newStore()
		mustUpload(t, s.open(t, k.keys(t, 1)), "a", "text")
		k.server.SetState(k.key(1), "disabled")
		for state, want := range map[string]storage.Code{"disabled": storage.PermissionDenied, "": ""} {
			k.server.SetState(k.key(1), state)
			first := make(chan struct{})
			going := make(chan struct{})
			k.server.Answer(func(http.ResponseWriter, *http.Request, string) bool {
				select {
				case <-first:
				default:
					close(first)
					<-going
				}
				return false
			})
			b := once(s, newLayer(t, k.keys(t, 1)))
			unwraps := k.server.Count(k.unwrap)
			failures := make(chan error, 8)
			readKey := func(ctx context.Context) {
				_, _, err := storage.ReadAll(ctx, b, "a")
				failures <- err
			}
			go readKey(t.Context())
			<-first
			canceled, cancel := context.WithCancel(t.Context())
			cancel()

			readKey(canceled)
			require.ErrorIs(t, <-failures, storage.Canceled)
			for range 7 {
				go readKey(t.Context())
			}

			close(going)
			for range 8 {
				require.Equal(t, want, storage.CodeOf(<-failures))
			}

			if want == "" {
				require.Equal(t, 1, k.server.Count(k.unwrap)-unwraps)
			}
		}
	})
}

// An emergency key reads objects without the service.
func TestKMSWithEmergencyKey(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		offline, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		identity := encrypt.NewKeys([]age.Recipient{offline.Recipient()}, []age.Identity{offline})
		keys := k.keys(t, 1)
		s := newStore()
		both := []encrypt.Keys{keys, identity}
		mustUpload(t, s.open(t, encrypt.JoinKeys(both, nil)), "a", "text")
		k.server.Close()

		got, _, err := storage.ReadAll(t.Context(), once(s, newLayer(t, encrypt.JoinKeys(nil, both))), "a")
		require.NoError(t, err)
		require.Equal(t, "text", string(got))

		_, _, err = storage.ReadAll(t.Context(), once(s, newLayer(t, keys)), "a")
		require.ErrorIs(t, err, storage.Unavailable)
		require.Regexp(t, "AWS KMS|Google Cloud KMS|Azure Key Vault", err.Error())

		_, err = s.open(t, encrypt.JoinKeys(nil, both)).Upload(t.Context(), "b", strings.NewReader("text"))
		require.ErrorIs(t, err, storage.PermissionDenied)
	})
}

func TestRewrapRotatesTheKeyOfAService(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		older := k.keys(t, 1)
		newer := k.keys(t, 2)
		s := newStore()
		content := text(2*chunk + 3)
		mustUpload(t, s.open(t, older), "a", content)

		_, _, err := storage.ReadAll(t.Context(), s.open(t, newer), "a")
		require.ErrorIs(t, err, storage.PermissionDenied)
		require.Zero(t, k.server.Count(k.unwrap), "the header names another key")

		calls := faults.New()
		rotating := encrypt.JoinKeys([]encrypt.Keys{newer}, []encrypt.Keys{newer, older})
		b := engine.New(s.Driver, driver.WithLayer(calls.Layer()), driver.WithLayer(newLayer(t, rotating)))

		_, err = encrypt.Rewrap(t.Context(), b, "a")
		require.NoError(t, err)
		require.Zero(t, calls.Count(faults.Get|faults.Put|faults.PutPart), "no bytes move: %v", calls)

		k.server.SetState(k.key(1), "deleted")
		got, _, err := storage.ReadAll(t.Context(), s.open(t, newer), "a")
		require.NoError(t, err)
		require.Equal(t, content, string(got))

		_, _, err = storage.ReadAll(t.Context(), s.open(t, older), "a")
		require.ErrorIs(t, err, storage.PermissionDenied)
	})
}

// If the service rotates its key to a new version, old and new objects are readable.
func TestKMSRotatesVersions(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		if k.wrap == "Encrypt" {
			return // AWS does so without a trace
		}
		s := newStore()
		b := s.open(t, k.keys(t, 1))
		mustUpload(t, b, "older", "1")
		k.server.AddKey(k.key(1))
		mustUpload(t, b, "newer", "2")
		for key, content := range map[string]string{"older": "1", "newer": "2"} {
			got, _, err := storage.ReadAll(t.Context(), s.open(t, k.keys(t, 1)), key)
			require.NoError(t, err)
			require.Equal(t, content, string(got))
		}
	})
}

// hostileKeys are names that JSON, URLs and separators could confuse.
var hostileKeys = []string{"a", "a\x01b", "ä/ö", "\"}{\u2028<&>", "a b+c%00", strings.Repeat("x", 1024), "😀", "a|b"}

// Unwrap fails with ChecksumMismatch if the object has another key or bucket than in Wrap.
func TestKMSBindsName(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		keys := k.keys(t, 1)
		dataKey := []byte("0123456789abcdef")

		for i, key := range hostileKeys {
			obj := encrypt.Object{Bucket: "b", Key: key}
			stanzas, err := keys.Wrap(t.Context(), dataKey, obj)
			require.NoError(t, err, key)

			got, err := keys.Unwrap(t.Context(), stanzas, obj)
			require.NoError(t, err, key)
			require.Equal(t, dataKey, got)

			for name, other := range map[string]encrypt.Object{
				"another key":    {Bucket: "b", Key: hostileKeys[(i+1)%len(hostileKeys)]},
				"another bucket": {Bucket: "c", Key: key},
				"no bucket":      {Key: key},
			} {
				_, err = keys.Unwrap(t.Context(), stanzas, other)
				require.ErrorIs(t, err, storage.ChecksumMismatch, "%s: %q", name, key)
				require.Contains(t, err.Error(), "is that of another object", name)
			}
		}

		stanzas, err := keys.Wrap(t.Context(), dataKey, encrypt.Object{Key: "a"})
		require.NoError(t, err, "a bucket without a name")
		_, err = keys.Unwrap(t.Context(), stanzas, encrypt.Object{Key: "a"})
		require.NoError(t, err)
	})
}

// An object in a replica of a bucket is readable only if the configuration names the first bucket.
func TestKMSReplicaOfBucket(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		first := newStore()
		replica := store{memstore.NewDriver(memstore.Config{Bucket: "replica"})}
		mustUpload(t, first.open(t, k.keys(t, 1)), "a", "text")
		replica.put(t, "a", first.get(t, "a"))

		_, _, err := storage.ReadAll(t.Context(), replica.open(t, k.keys(t, 1)), "a")
		require.ErrorIs(t, err, storage.ChecksumMismatch)
		keys, err := k.open(k.server, k.key(1), "memory", k.secret)
		require.NoError(t, err)
		got, _, err := storage.ReadAll(t.Context(), replica.open(t, keys), "a")
		require.NoError(t, err)
		require.Equal(t, "text", string(got))
	})
}

// Attacks with headers of a service fail.
func TestKMSAttacksOnHeader(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		tests := []struct {
			name string
			do   func(victim, other stored) stored
		}{
			{"the header of another object", func(v, other stored) stored {
				v.metadata = other.metadata
				return v
			}},
			{"another object as a whole", func(_, other stored) stored { return other }},
			{"the stanza of another object", func(v, other stored) stored {
				lines := strings.Split(v.header(), "---")
				theirs := strings.Split(other.header(), "---")
				v.metadata = map[string]string{headerName: theirs[0] + "---" + lines[1]}
				return v
			}},
			{"the stanza of another object first", func(v, other stored) stored {
				_, stanza, _ := strings.Cut(strings.Split(other.header(), "---")[0], "|")
				version, rest, _ := strings.Cut(v.header(), "|")
				v.metadata = map[string]string{headerName: version + "|" + stanza + rest}
				return v
			}},
			{"a bit of the stanza", func(v, _ stored) stored {
				lines := strings.Split(v.header(), "|")
				lines[2] = map[bool]string{true: "B", false: "A"}[lines[2][0] == 'A'] + lines[2][1:]
				v.metadata = map[string]string{headerName: strings.Join(lines, "|")}
				return v
			}},
		}
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s := newStore()
				b := s.open(t, k.keys(t, 1))
				mustUpload(t, b, "victim", "victim")
				mustUpload(t, b, "other", "others")
				s.put(t, "victim", tt.do(s.get(t, "victim"), s.get(t, "other")))
				unwraps := k.server.Count(k.unwrap)

				_, _, err := storage.ReadAll(t.Context(), once(s, newLayer(t, k.keys(t, 1))), "victim")
				require.ErrorIs(t, err, storage.ChecksumMismatch)
				require.LessOrEqual(t, k.server.Count(k.unwrap)-unwraps, 1)
			})
		}
	})
}

// Each error of a key management service has its Code.
func TestKMSErrors(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		s := newStore()
		mustUpload(t, s.open(t, k.keys(t, 1)), "a", "text")
		codes := map[string]storage.Code{"AWS": storage.PermissionDenied, "Google": storage.PermissionDenied, "Azure": storage.InvalidArgument}

		for state, want := range map[string]storage.Code{
			"denied":   storage.PermissionDenied,
			"disabled": storage.PermissionDenied,
			"deleted":  codes[strings.TrimPrefix(t.Name(), "TestKMSErrors/")],
		} {
			k.server.SetState(k.key(1), state)
			k.requireBoth(t, s, k.keys(t, 1), want, false)
		}

		k.server.SetState(k.key(1), "")
		wrongKeys, err := k.open(k.server, k.key(1), "", "hunter2")
		require.NoError(t, err)
		k.requireBoth(t, s, wrongKeys, storage.Unauthenticated, false)

		missingKeys := k.keys(t, 3)
		_, err = once(newStore(), newLayer(t, missingKeys)).Upload(t.Context(), "a", strings.NewReader("text"))
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.Contains(t, err.Error(), "check the name of the key")

		tests := []struct {
			status int
			body   any
			want   storage.Code
		}{
			{http.StatusServiceUnavailable, map[string]any{}, storage.Unavailable},
			{http.StatusInternalServerError, "<html>", storage.Unavailable},
			{http.StatusNotFound, "<html>", storage.Unavailable},
			{http.StatusFound, "<html>", storage.Unavailable},
			{http.StatusOK, "<html>", storage.Unavailable},
			{http.StatusOK, map[string]any{}, storage.Unavailable},
			{http.StatusOK, strings.Repeat("x", 17<<20), storage.Unavailable},
			{http.StatusTooManyRequests, map[string]any{}, storage.RateLimited},
			{http.StatusBadRequest, map[string]string{"__type": "ThrottlingException"}, map[bool]storage.Code{true: storage.RateLimited, false: storage.Unavailable}[k.wrap == "Encrypt"]},
			{http.StatusConflict, map[string]any{"__type": "x", "error": map[string]string{"code": "x", "status": "x"}}, storage.Internal},
			{http.StatusPreconditionFailed, map[string]any{"__type": "x", "error": map[string]string{"code": "x", "status": "x"}}, storage.Internal},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprint(tt.status, " ", fmt.Sprintf("%.20v", tt.body)), func(t *testing.T) {
				k := k
				k.server.Refuse(t, tt.status, tt.body)
				k.requireBoth(t, s, k.keys(t, 1), tt.want, tt.want == storage.Unavailable || tt.want == storage.RateLimited)
			})
		}
	})
}

// requireBoth requires an error of a read and of a write.
func (k kmsTest) requireBoth(t *testing.T, s store, keys encrypt.Keys, want storage.Code, retryable bool) {
	t.Helper()
	b := once(s, newLayer(t, keys))
	_, _, readErr := storage.ReadAll(t.Context(), b, "a")
	_, write := b.Upload(t.Context(), "b", strings.NewReader("text"))

	for name, err := range map[string]error{"read": readErr, "write": write} {
		e := &storage.Error{}
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, want, storage.CodeOf(err), "%s: %v", name, err)
		require.Equal(t, retryable, e.Retryable, "%s: %v", name, err)
		require.False(t, e.Unknown, name)
		require.NotContains(t, err.Error(), "hunter2")
		require.Less(t, len(err.Error()), 1000)

		if want == storage.PermissionDenied || want == storage.Unauthenticated {
			require.NotEmpty(t, e.Hint, "%s: %v", name, err)
		}
	}

	exists, err := b.Exists(t.Context(), "b")
	require.NoError(t, err)
	require.False(t, exists)
}

// If a key management service throttles a request, the bucket retries, not the SDK.
func TestKMSThrottledIsRetried(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		refusals := 0
		k.server.Answer(func(w http.ResponseWriter, _ *http.Request, operation string) bool {
			if operation != k.wrap || refusals == 2 {
				return false
			}
			refusals++
			kmsserver.WriteJSON(w, http.StatusTooManyRequests, map[string]any{"__type": "ThrottlingException", "error": map[string]string{"code": "Throttled", "status": "RESOURCE_EXHAUSTED"}})
			return true
		})
		s := newStore()
		b := engine.New(s, driver.WithLayer(newLayer(t, k.keys(t, 1))), storage.WithRetry(storage.RetryPolicy{Attempts: 3, MaxDelay: time.Millisecond}))

		mustUpload(t, b, "a", "text")
		require.Equal(t, 3, k.server.Count(k.wrap))
		got, _, err := storage.ReadAll(t.Context(), s.open(t, k.keys(t, 1)), "a")
		require.NoError(t, err)
		require.Equal(t, "text", string(got))
	})
}

// If an error of a service quotes the request, the returned error does not show the data key.
func TestKMSErrorsShowNoDataKey(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusInternalServerError} {
			var quoted, signature string
			k.server.Answer(func(w http.ResponseWriter, r *http.Request, _ string) bool {
				body, _ := io.ReadAll(r.Body)
				quoted = string(body)
				for _, line := range r.Header {
					quoted += " " + line[0]
					if _, value, ok := strings.Cut(line[0], "Signature="); ok {
						signature = value
					}
				}
				kmsserver.WriteJSON(w, status, map[string]any{
					"__type":  "AccessDeniedException",
					"message": quoted,
					"error":   map[string]any{"code": "Forbidden", "status": "PERMISSION_DENIED", "message": quoted},
				})
				return true
			})
			keys := k.keys(t, 1)

			_, err := keys.Wrap(t.Context(), []byte("0123456789abcdef"), encrypt.Object{Bucket: "b", Key: "a"})
			require.Error(t, err)
			for ; err != nil; err = unwrapped(err) {
				text := fmt.Sprintf("%v %+v", err, err)
				for _, secret := range []string{"MDEyMzQ1Njc4OWFiY2RlZ", "0123456789abcdef", k.secret, cmp.Or(signature, k.secret)} {
					require.NotContains(t, text, secret)
				}
			}
		}
	})
}

// If a service redirects a request, the client does not follow. The token of the session would go to another host.
func TestKMSRedirectIsNotFollowed(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		var elsewhere []string
		other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			elsewhere = append(elsewhere, r.Method+" "+r.URL.Path)
		}))
		defer other.Close()
		keys := k.keys(t, 1)
		stanzas, err := keys.Wrap(t.Context(), dataKey, ofObject)
		require.NoError(t, err)

		for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
			k.server.Answer(func(w http.ResponseWriter, r *http.Request, _ string) bool {
				http.Redirect(w, r, other.URL+"/elsewhere", status)
				return true
			})
			_, err = keys.Wrap(t.Context(), dataKey, ofObject)
			require.Error(t, err, status)
			_, err = keys.Unwrap(t.Context(), stanzas, ofObject)
			require.Error(t, err, status)
			require.Empty(t, elsewhere, status)
		}
	})
}

// If the response of a key management service never ends, Wrap and Unwrap fail with Unavailable. The SDKs alone
// would read without a limit.
func TestKMSEndlessResponseIsNotRead(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		keys := k.keys(t, 1)
		stanzas, err := keys.Wrap(t.Context(), dataKey, ofObject)
		require.NoError(t, err)
		const most = 64 << 20 // of which many are in buffers on the way
		results := make(chan int, 2)
		k.server.Answer(func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.Header().Set("Content-Type", "application/json")
			spaces := bytes.Repeat([]byte(" "), 64<<10)
			n := 0
			for err := error(nil); err == nil && n < most; n += len(spaces) {
				_, err = w.Write(spaces)
			}
			results <- n
			return true
		})

		_, err = keys.Wrap(t.Context(), dataKey, ofObject)
		require.ErrorIs(t, err, storage.Unavailable)
		require.Less(t, <-results, most)

		_, err = keys.Unwrap(t.Context(), stanzas, ofObject)
		require.ErrorIs(t, err, storage.Unavailable)
		require.Less(t, <-results, most)
	})
}

func unwrapped(err error) error {
	inner, ok := err.(interface{ Unwrap() error })
	if !ok {
		return nil
	}
	return inner.Unwrap()
}

// If ctx is canceled while a service does not respond, the call fails with Canceled.
func TestKMSSlowIsCanceled(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		s := newStore()
		mustUpload(t, s.open(t, k.keys(t, 1)), "a", "text")
		ctx, cancel := contextWithCancel(t)
		k.server.Answer(func(_ http.ResponseWriter, r *http.Request, _ string) bool {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client has gone
			cancel()
			<-r.Context().Done()
			return true
		})
		b := s.open(t, k.keys(t, 1))

		_, _, err := storage.ReadAll(ctx, b, "a")
		require.ErrorIs(t, err, storage.Canceled)
		_, err = b.Upload(ctx, "b", strings.NewReader("text"))
		require.ErrorIs(t, err, storage.Canceled)
	})
}

// If a broken or hostile service returns the data key of another object, reads fail with ChecksumMismatch.
func TestKMSReturnsOtherDataKey(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		s := newStore()
		wraps := 0
		b := s.open(t, k.keys(t, 1))
		mustUpload(t, b, "a", "text")
		k.server.Answer(func(w http.ResponseWriter, _ *http.Request, operation string) bool {
			wraps++
			switch operation {
			case "Decrypt":
				kmsserver.WriteJSON(w, http.StatusOK, map[string]any{"KeyId": k.key(1), "Plaintext": []byte("0123456789abcdef")})
			case "decrypt": // with its checksum
				kmsserver.WriteJSON(w, http.StatusOK, map[string]any{"plaintext": []byte("0123456789abcdef"), "plaintextCrc32c": fmt.Sprint(crcOf("0123456789abcdef"))})
			case "unwrapkey":
				kmsserver.WriteJSON(w, http.StatusOK, map[string]any{"kid": kmsserver.Vault + "/keys/key-1/1", "value": "MDEyMzQ1Njc4OWFiY2RlZg"})
			default:
				return false
			}
			return true
		})

		_, _, err := storage.ReadAll(t.Context(), once(s, newLayer(t, k.keys(t, 1))), "a")
		require.ErrorIs(t, err, storage.ChecksumMismatch)
		require.NotZero(t, wraps)
	})
}

// The data key of a caller of its own may be empty.
func TestKMSErrorsWithoutDataKey(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		k.server.SetState(k.key(1), "denied")
		_, err := k.keys(t, 1).Wrap(t.Context(), nil, encrypt.Object{Bucket: "b", Key: "a"})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "***")
	})
}

// A passphrase must be the only key of an object.
func TestPassphraseMustBeAlone(t *testing.T) {
	passphrase, err := age.NewScryptRecipient("correct horse")
	require.NoError(t, err)
	passphrase.SetWorkFactor(10)
	x, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	hybrid, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	keysOf := func(r age.Recipient) encrypt.Keys { return encrypt.NewKeys([]age.Recipient{r}, nil) }

	for name, wrap := range map[string][]encrypt.Keys{
		"a passphrase beside a key":         {keysOf(passphrase), keysOf(x.Recipient())},
		"a hybrid key beside an X25519 one": {keysOf(hybrid.Recipient()), keysOf(x.Recipient())},
	} {
		_, err = newStore().open(t, encrypt.JoinKeys(wrap, nil)).Upload(t.Context(), "a", strings.NewReader("text"))
		require.ErrorIs(t, err, storage.InvalidArgument, name)
	}
}
