package encrypt_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
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

// A kmsKind is one of the key management services. It also says how to open a key of the service.
type kmsKind struct {
	start  func(t testing.TB) *kmsserver.Server
	wrap   string             // name of its operation that wraps a data key
	unwrap string             // name of its operation that unwraps a data key
	key    func(n int) string // returns the name of the n-th key at the server
	stanza string             // type of its stanzas in a header
	open   func(s *kmsserver.Server, key, bucket, secret string) (encrypt.Keys, error)
	secret string // that the server accepts
}

// newKMSKinds returns all services, by their names.
func newKMSKinds(t testing.TB) map[string]kmsKind {
	return map[string]kmsKind{
		"AWS": {
			start:  kmsserver.StartAWS,
			wrap:   "Encrypt",
			unwrap: "Decrypt",
			stanza: "github.com/omnibucket/awskms",
			secret: kmsserver.SecretKey,
			key: func(n int) string {
				return fmt.Sprintf("arn:aws:kms:eu-west-1:111122223333:key/key-%d", n)
			},
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
					Key:        key,
					Bucket:     bucket,
					Endpoint:   s.URL,
					HTTPClient: testserver.Client(),
					Credentials: auth.NewCredentials(&auth.CredentialsOptions{
						TokenProvider: kmsserver.Credential{Value: secret},
					}),
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

// The keys of each server, by their numbers.
const (
	firstKey  = 1
	secondKey = 2
)

// runOnServices runs a test with each service.
func runOnServices(t *testing.T, test func(t *testing.T, k kmsTest)) {
	for name, kind := range newKMSKinds(t) {
		t.Run(name, func(t *testing.T) {
			k := kmsTest{kind, kind.start(t)}
			k.server.AddKey(k.key(firstKey))
			k.server.AddKey(k.key(secondKey))
			test(t, k)
		})
	}
}

// keys opens a key of the server.
func (k kmsTest) keys(t testing.TB, number int) encrypt.Keys {
	keys, err := k.open(k.server, k.key(number), "", k.secret)
	require.NoError(t, err)
	return keys
}

// openWithoutRetry opens a bucket that encrypts with these keys and makes each request once.
func (s store) openWithoutRetry(t testing.TB, keys encrypt.Keys) storage.Bucket {
	retry := storage.WithRetry(storage.RetryPolicy{Attempts: 1})
	return engine.New(s, driver.WithLayer(newLayer(t, keys)), retry)
}

// The service wraps the data key of an object once, and each process unwraps it once, when it first
// reads content.
func TestKMSWrapsKey(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		keys := k.keys(t, firstKey)
		s := newStore()
		content := randomText(5*chunk + 1)

		// An upload wraps one key.
		mustUpload(t, s.open(t, keys), "a", content)
		require.Equal(t, 1, k.server.Count(k.wrap))
		require.Zero(t, k.server.Count(k.unwrap))
		object := s.get(t, "a")
		require.Contains(t, object.header(), "-> "+k.stanza+" ")
		require.NotContains(t, object.header(), "111122223333", "the header does not tell the account")

		// Another process remembers nothing. It needs no key for attributes.
		b := s.open(t, keys)
		_, err := b.Attrs(t.Context(), "a")
		require.NoError(t, err)
		for _, err := range b.List(t.Context()) {
			require.NoError(t, err)
		}
		require.Zero(t, k.server.Count(k.unwrap))

		// The bucket unwraps the key of the object once, for all its reads.
		got, _, err := storage.ReadAll(t.Context(), b, "a")
		require.NoError(t, err)
		require.Equal(t, content, string(got))
		got, _, err = storage.ReadAll(t.Context(), b, "a", storage.WithRange(chunk, 5))
		require.NoError(t, err)
		require.Equal(t, content[chunk:chunk+5], string(got))
		require.Equal(t, 1, k.server.Count(k.unwrap))
		require.Equal(t, 1, k.server.Count(k.wrap))
	})
}

// The emergency key of an object decrypts it with age alone, without this package or the service.
func TestKMSWithEmergencyKeyMakesAgeFile(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		offline, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		emergency := encrypt.NewKeys([]age.Recipient{offline.Recipient()}, nil)

		keys := k.keys(t, firstKey)
		joined := encrypt.JoinKeys([]encrypt.Keys{keys, emergency}, []encrypt.Keys{keys})

		s := newStore()
		content := randomText(5*chunk + 1)
		b := s.open(t, joined)
		mustUpload(t, b, "a", content)

		header := s.get(t, "a").header()
		require.Contains(t, header, "-> "+k.stanza+" ")
		require.NotContains(t, header, "111122223333", "the header does not tell the account")

		// Another process reads the object.
		b = s.open(t, joined)
		got, _, err := storage.ReadAll(t.Context(), b, "a")
		require.NoError(t, err)
		require.Equal(t, content, string(got))
		require.Equal(t, 1, k.server.Count(k.wrap))
		require.Equal(t, 1, k.server.Count(k.unwrap))

		// The program age decrypts it, too, with the emergency key.
		r, err := age.Decrypt(bytes.NewReader(ageFile(t, s.get(t, "a"))), offline)
		require.NoError(t, err)
		got, err = io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, content, string(got))
	})
}

// Concurrent reads of an object share one request that unwraps its data key. They have the result of this request,
// even if the context of one read is canceled.
func TestKMSUnwrapsOnceForReadsAtOnce(t *testing.T) {
	tests := []struct {
		name  string
		state string // of the key at the server
		want  storage.Code
	}{
		{name: "a failure", state: "disabled", want: storage.PermissionDenied},
		{name: "a success", state: "", want: ""},
	}
	runOnServices(t, func(t *testing.T, k kmsTest) {
		s := newStore()
		mustUpload(t, s.open(t, k.keys(t, firstKey)), "a", "text")

		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				k.server.SetState(k.key(firstKey), tt.state)

				// The server does not respond to the first request before respond is closed.
				// first.Do makes further requests wait for this, too. Then all get their usual
				// responses.
				arrived := make(chan struct{})
				respond := make(chan struct{})
				var first sync.Once
				k.server.Answer(func(http.ResponseWriter, *http.Request, string) bool {
					first.Do(func() {
						close(arrived)
						<-respond
					})
					return false
				})
				const readers = 8 // besides the canceled one
				errs := make(chan error, readers)
				b := s.openWithoutRetry(t, k.keys(t, firstKey))
				read := func(ctx context.Context) {
					_, _, err := storage.ReadAll(ctx, b, "a")
					errs <- err
				}
				unwrapsBefore := k.server.Count(k.unwrap)

				// While the first read waits for the key, another one is canceled.
				go read(t.Context())
				<-arrived
				canceled, cancel := context.WithCancel(t.Context())
				cancel()
				read(canceled)
				require.ErrorIs(t, <-errs, storage.Canceled)

				// The others share the request of the first one, and have the same result.
				for range readers - 1 {
					go read(t.Context())
				}
				close(respond)
				for range readers {
					require.Equal(t, tt.want, storage.CodeOf(<-errs))
				}
				if tt.want == "" {
					require.Equal(t, 1, k.server.Count(k.unwrap)-unwrapsBefore)
				}
			})
		}
	})
}

// With an emergency key of age beside the key of a service, an object can be read while the service is down,
// but not written.
func TestKMSWithEmergencyKey(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		offline, err := age.GenerateX25519Identity()
		require.NoError(t, err)
		emergency := encrypt.NewKeys([]age.Recipient{offline.Recipient()}, []age.Identity{offline})
		service := k.keys(t, firstKey)
		keys := []encrypt.Keys{service, emergency}
		onlyEncrypt := encrypt.JoinKeys(keys, nil)
		onlyDecrypt := encrypt.JoinKeys(nil, keys)

		// While the service is up, an object is encrypted for both keys.
		s := newStore()
		mustUpload(t, s.open(t, onlyEncrypt), "a", "text")

		// While it is down, the emergency key decrypts the object.
		k.server.Close()
		got, _, err := storage.ReadAll(t.Context(), s.openWithoutRetry(t, onlyDecrypt), "a")
		require.NoError(t, err)
		require.Equal(t, "text", string(got))

		// The service is still down. With only its key, a read fails.
		_, _, err = storage.ReadAll(t.Context(), s.openWithoutRetry(t, service), "a")
		require.ErrorIs(t, err, storage.Unavailable)
		require.Regexp(t, "AWS KMS|Google Cloud KMS|Azure Key Vault", err.Error())

		// Without a key that encrypts, nothing can be written.
		_, err = s.open(t, onlyDecrypt).Upload(t.Context(), "b", strings.NewReader("text"))
		require.ErrorIs(t, err, storage.PermissionDenied)
	})
}

// Rewrap moves an object to another key of the service without reading or writing its content.
func TestRewrapRotatesTheKeyOfAService(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		older := k.keys(t, firstKey)
		newer := k.keys(t, secondKey)
		s := newStore()
		content := randomText(2*chunk + 3)
		mustUpload(t, s.open(t, older), "a", content)

		// The newer key cannot read the object yet.
		_, _, err := storage.ReadAll(t.Context(), s.open(t, newer), "a")
		require.ErrorIs(t, err, storage.PermissionDenied)
		require.Zero(t, k.server.Count(k.unwrap), "the header names another key")

		// For Rewrap, both keys decrypt, and only the newer one encrypts.
		calls := faults.New()
		rotating := encrypt.JoinKeys([]encrypt.Keys{newer}, []encrypt.Keys{newer, older})
		b := engine.New(s.Driver, driver.WithLayer(calls.Layer()), driver.WithLayer(newLayer(t, rotating)))

		_, err = encrypt.Rewrap(t.Context(), b, "a")
		require.NoError(t, err)
		require.Zero(t, calls.Count(faults.Get|faults.Put|faults.PutPart), "no bytes move: %v", calls)

		// Afterwards the older key is no longer needed.
		k.server.SetState(k.key(firstKey), "deleted")
		got, _, err := storage.ReadAll(t.Context(), s.open(t, newer), "a")
		require.NoError(t, err)
		require.Equal(t, content, string(got))

		_, _, err = storage.ReadAll(t.Context(), s.open(t, older), "a")
		require.ErrorIs(t, err, storage.PermissionDenied)
	})
}

// After the service has rotated its key to a new version, objects of the old and of the new version are
// readable.
func TestKMSRotatesVersions(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		isAWS := k.wrap == "Encrypt"
		if isAWS {
			return // AWS names no versions.
		}

		// The server gets a new version of the key between two uploads.
		s := newStore()
		b := s.open(t, k.keys(t, firstKey))
		mustUpload(t, b, "older", "1")
		k.server.AddKey(k.key(firstKey))
		mustUpload(t, b, "newer", "2")

		for key, content := range map[string]string{"older": "1", "newer": "2"} {
			got, _, err := storage.ReadAll(t.Context(), s.open(t, k.keys(t, firstKey)), key)
			require.NoError(t, err)
			require.Equal(t, content, string(got))
		}
	})
}

// hostileKeys are names with characters that have a meaning in JSON, in URLs or as separators.
var hostileKeys = []string{
	"a", "a\x01b", "ä/ö", "\"}{\u2028<&>", "a b+c%00", strings.Repeat("x", 1024), "😀", "a|b",
}

// Unwrap fails with ChecksumMismatch for an object with another name, or in another bucket, than
// that with which Wrap was called.
func TestKMSBindsName(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		keys := k.keys(t, firstKey)

		for i, key := range hostileKeys {
			t.Run(fmt.Sprintf("%.20q", key), func(t *testing.T) {
				obj := encrypt.Object{Bucket: "b", Key: key}
				stanzas, err := keys.Wrap(t.Context(), dataKey, obj)
				require.NoError(t, err)
				got, err := keys.Unwrap(t.Context(), stanzas, obj)
				require.NoError(t, err)
				require.Equal(t, dataKey, got)

				nextKey := hostileKeys[(i+1)%len(hostileKeys)]
				others := []encrypt.Object{
					{Bucket: "b", Key: nextKey},
					{Bucket: "c", Key: key},
					{Bucket: "", Key: key},
				}
				for _, other := range others {
					_, err = keys.Unwrap(t.Context(), stanzas, other)
					require.ErrorIs(t, err, storage.ChecksumMismatch, "%q", other)
					require.Contains(t, err.Error(), "is that of another object", "%q", other)
				}
			})
		}

		t.Run("a bucket without a name", func(t *testing.T) {
			obj := encrypt.Object{Key: "a"}
			stanzas, err := keys.Wrap(t.Context(), dataKey, obj)
			require.NoError(t, err)
			_, err = keys.Unwrap(t.Context(), stanzas, obj)
			require.NoError(t, err)
		})
	})
}

// The data key of an object is bound to the name of its bucket. A replica of the bucket has another name, so its
// objects can only be read with keys that are configured with the name of the original.
func TestKMSReplicaOfBucket(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		// The replica has an encrypted object of the original.
		const nameOfOriginal = "memory" // the default of memstore
		original := newStore()
		replica := store{memstore.NewDriver(memstore.Config{Bucket: "replica"})}
		mustUpload(t, original.open(t, k.keys(t, firstKey)), "a", "text")
		replica.put(t, "a", original.get(t, "a"))

		// By default, the keys have the name of the bucket that is read.
		_, _, err := storage.ReadAll(t.Context(), replica.open(t, k.keys(t, firstKey)), "a")
		require.ErrorIs(t, err, storage.ChecksumMismatch)

		// Keys with the name of the original decrypt the object.
		keys, err := k.open(k.server, k.key(firstKey), nameOfOriginal, k.secret)
		require.NoError(t, err)
		got, _, err := storage.ReadAll(t.Context(), replica.open(t, keys), "a")
		require.NoError(t, err)
		require.Equal(t, "text", string(got))
	})
}

// headerParts are the three parts of an object's header: the version of the format, a stanza with
// the wrapped data key, and a proof of the other two parts.
type headerParts struct{ version, stanza, proof string }

// parts splits the header. Its lines end with "|", and "---" begins the proof.
func (o stored) parts() headerParts {
	version, rest, _ := strings.Cut(o.header(), "|")
	stanza, proof, _ := strings.Cut(rest, "---")
	return headerParts{version: version + "|", stanza: stanza, proof: "---" + proof}
}

// withChangedKey returns the stanza with a changed first letter of the wrapped data key. The
// wrapped key begins at the second line of the stanza.
func withChangedKey(stanza string) string {
	service, wrappedKey, _ := strings.Cut(stanza, "|")
	letter := "A"
	if wrappedKey[0] == 'A' {
		letter = "B"
	}
	return service + "|" + letter + wrappedKey[1:]
}

// A read fails with ChecksumMismatch if an attacker has changed the header of an object, or
// replaced it by that of another object.
func TestKMSAttacksOnHeader(t *testing.T) {
	tests := []struct {
		name   string
		header func(victim, other headerParts) string
		body   bool // the attacker also replaces the body by that of the other object
	}{
		{
			name: "the header of another object",
			header: func(_, other headerParts) string {
				return other.version + other.stanza + other.proof
			},
		},
		{
			name: "another object as a whole",
			header: func(_, other headerParts) string {
				return other.version + other.stanza + other.proof
			},
			body: true,
		},
		{
			name: "the stanza of another object",
			header: func(victim, other headerParts) string {
				return victim.version + other.stanza + victim.proof
			},
		},
		{
			name: "the stanza of another object first",
			header: func(victim, other headerParts) string {
				return victim.version + other.stanza + victim.stanza + victim.proof
			},
		},
		{
			name: "a bit of the stanza",
			header: func(victim, _ headerParts) string {
				return victim.version + withChangedKey(victim.stanza) + victim.proof
			},
		},
	}
	runOnServices(t, func(t *testing.T, k kmsTest) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				s := newStore()
				b := s.open(t, k.keys(t, firstKey))
				mustUpload(t, b, "victim", "victim")
				mustUpload(t, b, "other", "others")

				// The attacker replaces the header of the first object.
				victim := s.get(t, "victim")
				other := s.get(t, "other")
				victim.metadata = map[string]string{headerName: tt.header(victim.parts(), other.parts())}
				if tt.body {
					victim.body = other.body
				}
				s.put(t, "victim", victim)

				unwrapsBefore := k.server.Count(k.unwrap)
				_, _, err := storage.ReadAll(t.Context(), s.openWithoutRetry(t, k.keys(t, firstKey)), "victim")
				require.ErrorIs(t, err, storage.ChecksumMismatch)
				require.LessOrEqual(t, k.server.Count(k.unwrap)-unwrapsBefore, 1)
			})
		}
	})
}

// Each error of a key management service has its Code.
func TestKMSErrors(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		s := newStore()
		mustUpload(t, s.open(t, k.keys(t, firstKey)), "a", "text")
		isAWS := k.wrap == "Encrypt"
		isAzure := k.wrap == "wrapkey"

		// The key is in a state in which it cannot be used.
		deleted := storage.PermissionDenied
		if isAzure {
			deleted = storage.InvalidArgument
		}
		for state, want := range map[string]storage.Code{
			"denied":   storage.PermissionDenied,
			"disabled": storage.PermissionDenied,
			"deleted":  deleted,
		} {
			k.server.SetState(k.key(firstKey), state)
			k.requireReadAndWriteFail(t, s, k.keys(t, firstKey), want)
		}
		const usable = ""
		k.server.SetState(k.key(firstKey), usable)

		// The credentials are wrong.
		const bucket = "" // not named
		wrongKeys, err := k.open(k.server, k.key(firstKey), bucket, "hunter2")
		require.NoError(t, err)
		k.requireReadAndWriteFail(t, s, wrongKeys, storage.Unauthenticated)

		// The key does not exist.
		const missingKey = 3
		b := newStore().openWithoutRetry(t, k.keys(t, missingKey))
		_, err = b.Upload(t.Context(), "a", strings.NewReader("text"))
		require.ErrorIs(t, err, storage.InvalidArgument)
		require.Contains(t, err.Error(), "check the name of the key")

		// The server responds with these statuses and documents.
		throttled := storage.Unavailable
		if isAWS { // only AWS has this type of an error
			throttled = storage.RateLimited
		}
		tests := []struct {
			status int
			body   any
			want   storage.Code
		}{
			{status: http.StatusServiceUnavailable, body: map[string]any{}, want: storage.Unavailable},
			{status: http.StatusInternalServerError, body: "<html>", want: storage.Unavailable},
			{status: http.StatusNotFound, body: "<html>", want: storage.Unavailable},
			{status: http.StatusFound, body: "<html>", want: storage.Unavailable},
			{status: http.StatusOK, body: "<html>", want: storage.Unavailable},
			{status: http.StatusOK, body: map[string]any{}, want: storage.Unavailable},
			{status: http.StatusOK, body: strings.Repeat("x", 17<<20), want: storage.Unavailable},
			{status: http.StatusTooManyRequests, body: map[string]any{}, want: storage.RateLimited},
			{
				status: http.StatusBadRequest,
				body:   map[string]string{"__type": "ThrottlingException"},
				want:   throttled,
			},
			{
				status: http.StatusConflict,
				body:   map[string]any{"__type": "x", "error": map[string]string{"code": "x", "status": "x"}},
				want:   storage.Internal,
			},
			{
				status: http.StatusPreconditionFailed,
				body:   map[string]any{"__type": "x", "error": map[string]string{"code": "x", "status": "x"}},
				want:   storage.Internal,
			},
		}
		for _, tt := range tests {
			t.Run(fmt.Sprint(tt.status, " ", fmt.Sprintf("%.20v", tt.body)), func(t *testing.T) {
				k.server.Refuse(t, tt.status, tt.body)
				k.requireReadAndWriteFail(t, s, k.keys(t, firstKey), tt.want)
			})
		}
	})
}

// requireReadAndWriteFail requires that a read and a write fail with the same code. Both errors
// must be retryable if the service may recover, and not retryable otherwise.
func (k kmsTest) requireReadAndWriteFail(t *testing.T, s store, keys encrypt.Keys, want storage.Code) {
	t.Helper()
	retryable := want == storage.Unavailable || want == storage.RateLimited
	b := s.openWithoutRetry(t, keys)
	_, _, readErr := storage.ReadAll(t.Context(), b, "a")
	_, writeErr := b.Upload(t.Context(), "b", strings.NewReader("text"))
	for name, err := range map[string]error{"read": readErr, "write": writeErr} {
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

// If a service throttles the requests of a bucket, the bucket repeats them as its retry policy
// says. The SDK does not repeat them.
func TestKMSThrottledIsRetried(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		// The service refuses the first two requests to wrap a key. If this function returns false,
		// the server responds as usual.
		const refusals = 2
		requests := 0
		k.server.Answer(func(w http.ResponseWriter, _ *http.Request, operation string) bool {
			if operation != k.wrap {
				return false
			}
			requests++
			if requests > refusals {
				return false
			}
			kmsserver.WriteJSON(w, http.StatusTooManyRequests, map[string]any{
				"__type": "ThrottlingException",
				"error":  map[string]string{"code": "Throttled", "status": "RESOURCE_EXHAUSTED"},
			})
			return true
		})

		// The policy has just enough attempts.
		s := newStore()
		b := engine.New(s, driver.WithLayer(newLayer(t, k.keys(t, firstKey))),
			storage.WithRetry(storage.RetryPolicy{Attempts: 1 + refusals, MaxDelay: time.Millisecond}))

		mustUpload(t, b, "a", "text")
		require.Equal(t, 1+refusals, k.server.Count(k.wrap))
		got, _, err := storage.ReadAll(t.Context(), s.open(t, k.keys(t, firstKey)), "a")
		require.NoError(t, err)
		require.Equal(t, "text", string(got))
	})
}

// If an error of the service quotes the request, no error in the chain that is returned shows the data
// key.
func TestKMSErrorsShowNoDataKey(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		statuses := []int{http.StatusBadRequest, http.StatusForbidden, http.StatusInternalServerError}
		for _, status := range statuses {
			// The service quotes the body and the headers of the request.
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
					"error": map[string]any{
						"code":    "Forbidden",
						"status":  "PERMISSION_DENIED",
						"message": quoted,
					},
				})
				return true
			})

			dataKey := "0123456789abcdef"
			_, err := k.keys(t, firstKey).Wrap(t.Context(), []byte(dataKey), encrypt.Object{Bucket: "b", Key: "a"})
			require.Error(t, err)

			// No error in the chain shows a secret. The data key in Base64 lacks its last bits, which depend on what
			// follows. Only AWS has a signature.
			inBase64 := "MDEyMzQ1Njc4OWFiY2RlZ"
			secrets := []string{dataKey, inBase64, k.secret, cmp.Or(signature, k.secret)}
			for ; err != nil; err = unwrapped(err) {
				text := fmt.Sprintf("%v %+v", err, err)
				for _, secret := range secrets {
					require.NotContains(t, text, secret)
				}
			}
		}
	})
}

// A redirect by the service is not followed, because it would send the session's token to another host.
func TestKMSRedirectIsNotFollowed(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		var redirected []string
		elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			redirected = append(redirected, r.Method+" "+r.URL.Path)
		}))
		defer elsewhere.Close()

		// Before the redirects, the service wraps a data key, which Unwrap then needs.
		keys := k.keys(t, firstKey)
		wrapped, err := keys.Wrap(t.Context(), dataKey, ofObject)
		require.NoError(t, err)

		statuses := []int{
			http.StatusMovedPermanently,
			http.StatusFound,
			http.StatusTemporaryRedirect,
			http.StatusPermanentRedirect,
		}
		for _, status := range statuses {
			k.server.Answer(func(w http.ResponseWriter, r *http.Request, _ string) bool {
				http.Redirect(w, r, elsewhere.URL+"/elsewhere", status)
				return true
			})
			_, err = keys.Wrap(t.Context(), dataKey, ofObject)
			require.Error(t, err, status)
			_, err = keys.Unwrap(t.Context(), wrapped, ofObject)
			require.Error(t, err, status)
			require.Empty(t, redirected, status)
		}
	})
}

// If the response of a service never ends, Wrap and Unwrap stop reading and fail with Unavailable.
func TestKMSEndlessResponseIsNotRead(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		keys := k.keys(t, firstKey)
		stanzas, err := keys.Wrap(t.Context(), dataKey, ofObject)
		require.NoError(t, err)

		// The server sends spaces until the client hangs up. Many of them are in buffers on the way.
		const maxSent = 64 << 20
		sent := make(chan int, 2)
		k.server.Answer(func(w http.ResponseWriter, _ *http.Request, _ string) bool {
			w.Header().Set("Content-Type", "application/json")
			spaces := bytes.Repeat([]byte(" "), 64<<10)

			n := 0
			for n < maxSent {
				if _, err := w.Write(spaces); err != nil {
					break
				}
				n += len(spaces)
			}
			sent <- n
			return true
		})

		_, err = keys.Wrap(t.Context(), dataKey, ofObject)
		require.ErrorIs(t, err, storage.Unavailable)
		require.Less(t, <-sent, maxSent)

		_, err = keys.Unwrap(t.Context(), stanzas, ofObject)
		require.ErrorIs(t, err, storage.Unavailable)
		require.Less(t, <-sent, maxSent)
	})
}

// unwrapped returns the error that err wraps, or nil.
func unwrapped(err error) error {
	inner, ok := err.(interface{ Unwrap() error })
	if !ok {
		return nil
	}
	return inner.Unwrap()
}

// If ctx is canceled while the service does not respond, the call fails with Canceled.
func TestKMSSlowIsCanceled(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		s := newStore()
		mustUpload(t, s.open(t, k.keys(t, firstKey)), "a", "text")

		// The service cancels ctx in place of a response.
		ctx, cancel := contextWithCancel(t)
		k.server.Answer(func(_ http.ResponseWriter, r *http.Request, _ string) bool {
			_, _ = io.Copy(io.Discard, r.Body) // else the server does not see that the client has gone
			cancel()
			<-r.Context().Done()
			return true
		})
		b := s.open(t, k.keys(t, firstKey))

		_, _, err := storage.ReadAll(ctx, b, "a")
		require.ErrorIs(t, err, storage.Canceled)
		_, err = b.Upload(ctx, "b", strings.NewReader("text"))
		require.ErrorIs(t, err, storage.Canceled)
	})
}

// If a broken or hostile service returns the data key of another object, reads fail with
// ChecksumMismatch.
func TestKMSReturnsOtherDataKey(t *testing.T) {
	// The key of a response is the name of the operation to unwrap a data key. Each service has
	// another name for it.
	otherKey := []byte("0123456789abcdef")
	responses := map[string]any{
		"Decrypt": map[string]any{
			"KeyId":     "arn:aws:kms:eu-west-1:111122223333:key/key-1",
			"Plaintext": otherKey,
		},
		"decrypt": map[string]any{
			"plaintext":       otherKey,
			"plaintextCrc32c": fmt.Sprint(crcOf(string(otherKey))),
		},
		"unwrapkey": map[string]any{
			"kid":   kmsserver.Vault + "/keys/key-1/1",
			"value": base64.RawURLEncoding.EncodeToString(otherKey),
		},
	}
	runOnServices(t, func(t *testing.T, k kmsTest) {
		s := newStore()
		keys := k.keys(t, firstKey)
		mustUpload(t, s.open(t, keys), "a", "text")

		// The service unwraps the key of the object, but returns the other data key.
		answers := 0
		k.server.Answer(func(w http.ResponseWriter, _ *http.Request, operation string) bool {
			response, isUnwrap := responses[operation]
			if !isUnwrap {
				return false
			}
			answers++
			kmsserver.WriteJSON(w, http.StatusOK, response)
			return true
		})

		_, _, err := storage.ReadAll(t.Context(), s.openWithoutRetry(t, keys), "a")
		require.ErrorIs(t, err, storage.ChecksumMismatch)
		require.NotZero(t, answers)
	})
}

// An error of Wrap for an empty data key is not masked, since there is no secret in it.
func TestKMSErrorsWithoutDataKey(t *testing.T) {
	runOnServices(t, func(t *testing.T, k kmsTest) {
		k.server.SetState(k.key(firstKey), "denied")
		_, err := k.keys(t, firstKey).Wrap(t.Context(), nil, encrypt.Object{Bucket: "b", Key: "a"})
		require.Error(t, err)
		require.NotContains(t, err.Error(), "***")
	})
}

// An upload fails if a passphrase is not the only key, and if a hybrid key stands beside an X25519 one, as in
// the program age.
func TestPassphraseMustBeAlone(t *testing.T) {
	identities := newIdentities(t)
	keysOf := func(kind string) encrypt.Keys {
		return encrypt.NewKeys([]age.Recipient{identities[kind].recipient}, nil)
	}
	tests := []struct {
		name string
		wrap []encrypt.Keys // that encrypt
	}{
		{
			name: "a passphrase beside a key",
			wrap: []encrypt.Keys{keysOf("passphrase"), keysOf("X25519")},
		},
		{
			name: "a hybrid key beside an X25519 one",
			wrap: []encrypt.Keys{keysOf("hybrid"), keysOf("X25519")},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newStore().open(t, encrypt.JoinKeys(tt.wrap, nil))
			_, err := b.Upload(t.Context(), "a", strings.NewReader("text"))
			require.ErrorIs(t, err, storage.InvalidArgument)
		})
	}
}
