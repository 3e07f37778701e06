package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/internal/testing/testserver"
	"github.com/omnibucket/storage/s3server"
)

// A rotation is a store that accepts one access key at a time: key-1, then key-2 and so on. It
// checks signatures.
type rotation struct {
	server  *s3server.Server
	valid   atomic.Int64 // the number of the key that is accepted
	code    string       // of a refusal
	status  int
	refused atomic.Int64 // requests
}

// newRotation starts a store that has many keys but accepts only one of them at a time. It refuses
// the other keys with the given code and status.
func newRotation(t *testing.T, code string, status int) *rotation {
	r := &rotation{code: code, status: status}
	r.valid.Store(1)
	const keyCount = 50
	keys := make([]s3server.Credential, keyCount)
	for i := range keys {
		n := strconv.Itoa(i + 1)
		keys[i] = s3server.Credential{AccessKeyID: "key-" + n, SecretKey: "secret-" + n}
	}
	server, err := s3server.Start(s3server.Config{
		Buckets:     []string{"photos"},
		Credentials: keys,
		Middleware:  r.gate,
	})
	require.NoError(t, err)
	t.Cleanup(server.Close)
	r.server = server
	return r
}

// gate is a middleware that refuses a request unless it has the valid key.
func (r *rotation) gate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		credential := fmt.Sprintf("Credential=key-%d/", r.valid.Load())
		if strings.Contains(req.Header.Get("Authorization"), credential) {
			next.ServeHTTP(w, req)
			return
		}

		_, _ = io.Copy(io.Discard, req.Body)
		r.refused.Add(1)
		w.Header().Set("X-Amz-Request-Id", "R1")
		w.WriteHeader(r.status)
		if req.Method != http.MethodHead {
			_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no longer</Message></Error>", r.code)
		}
	})
}

// numberedKey returns the access key with a number, and its secret.
func numberedKey(n int64) aws.Credentials {
	return aws.Credentials{
		AccessKeyID:     fmt.Sprintf("key-%d", n),
		SecretAccessKey: fmt.Sprintf("secret-%d", n),
		Source:          "test",
	}
}

// writeProfile writes a file of credentials with a default profile.
func writeProfile(t *testing.T, file string, c aws.Credentials) {
	t.Helper()
	content := fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
		c.AccessKeyID, c.SecretAccessKey)
	require.NoError(t, os.WriteFile(file, content, 0o600))
}

// A source is a place where a Config gets its credentials. The function config returns a Config
// that uses the source. When the Config needs credentials, it gets the key that is valid then.
// config also returns a function that updates the source after another key has become valid.
type source struct {
	name   string
	config func(t *testing.T, r *rotation) (c Config, update func())
}

var sources = []source{
	{name: "a shared file that is written again", config: configOfSharedFile},
	{name: "a profile by its name", config: configOfNamedProfile},
	{name: "a process without an expiry", config: configOfProcess},
	{name: "a role", config: configOfRole},
	{name: "a configuration of the SDK with a cache", config: configOfSDKCache},
	{name: "a client of the SDK with a cache", config: configOfSDKClient},
	{name: "a provider without a cache", config: configOfProvider},
}

// configOfSharedFile has the valid key in the default profile of the shared file.
func configOfSharedFile(t *testing.T, r *rotation) (c Config, update func()) {
	return Config{}, shareValidKey(t, r)
}

// configOfNamedProfile has the valid key in a profile of the shared file. The Config names this
// profile.
func configOfNamedProfile(t *testing.T, r *rotation) (c Config, update func()) {
	return Config{Credentials: "default"}, shareValidKey(t, r)
}

// shareValidKey writes the valid key into the shared file of credentials. The function that it
// returns writes the key that is valid then.
func shareValidKey(t *testing.T, r *rotation) (update func()) {
	file := filepath.Join(t.TempDir(), "credentials")
	setEnv(t, map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file})
	update = func() {
		writeProfile(t, file, numberedKey(r.valid.Load()))
	}
	update()
	return update
}

// configOfProcess has a program that prints the valid key.
func configOfProcess(t *testing.T, r *rotation) (c Config, update func()) {
	cat := testserver.Program(t, "cat")
	dir := t.TempDir()
	outputFile := filepath.Join(dir, "out")
	configFile := filepath.Join(dir, "config")
	update = func() {
		key := numberedKey(r.valid.Load())
		const form = `{"Version":1,"AccessKeyId":%q,"SecretAccessKey":%q}`
		output := fmt.Appendf(nil, form, key.AccessKeyID, key.SecretAccessKey)
		require.NoError(t, os.WriteFile(outputFile, output, 0o600))
	}
	update()

	profile := "[default]\ncredential_process = " + cat + " " + outputFile + "\n"
	require.NoError(t, os.WriteFile(configFile, []byte(profile), 0o600))
	setEnv(t, map[string]string{"AWS_CONFIG_FILE": configFile})
	return Config{}, update
}

// configOfRole has a role for which an STS returns the valid key.
func configOfRole(t *testing.T, r *rotation) (c Config, update func()) {
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		key := numberedKey(r.valid.Load())
		_, _ = fmt.Fprintf(w, `<AssumeRoleResponse><AssumeRoleResult><Credentials>`+
			`<AccessKeyId>%s</AccessKeyId><SecretAccessKey>%s</SecretAccessKey>`+
			`<Expiration>2999-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`,
			key.AccessKeyID, key.SecretAccessKey)
	}))
	t.Cleanup(sts.Close)

	configFile := filepath.Join(t.TempDir(), "config")
	const profiles = "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n" +
		"[profile base]\naws_access_key_id = a\naws_secret_access_key = b\n"
	require.NoError(t, os.WriteFile(configFile, []byte(profiles), 0o600))
	setEnv(t, map[string]string{
		"AWS_CONFIG_FILE":      configFile,
		"AWS_PROFILE":          "role",
		"AWS_ENDPOINT_URL_STS": sts.URL,
	})
	return Config{}, nothingToUpdate
}

// configOfSDKCache has a cache of the SDK before the provider of the valid key.
func configOfSDKCache(_ *testing.T, r *rotation) (c Config, update func()) {
	return Config{AWS: &aws.Config{Credentials: aws.NewCredentialsCache(r.provider())}}, nothingToUpdate
}

// configOfSDKClient has a client of the SDK, with a cache before the provider of the valid key.
func configOfSDKClient(_ *testing.T, r *rotation) (c Config, update func()) {
	client := awss3.New(awss3.Options{
		Region:      s3server.DefaultRegion,
		Credentials: aws.NewCredentialsCache(r.provider()),
	})
	return Config{Client: client}, nothingToUpdate
}

// configOfProvider has the provider of the valid key itself.
func configOfProvider(_ *testing.T, r *rotation) (c Config, update func()) {
	return Config{AWS: &aws.Config{Credentials: r.provider()}}, nothingToUpdate
}

// nothingToUpdate is for a source that always returns the valid key, or always the same key.
func nothingToUpdate() {}

// provider returns the valid key each time that it is asked.
func (r *rotation) provider() aws.CredentialsProvider {
	return aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return numberedKey(r.valid.Load()), nil
	})
}

// open opens the bucket and its account with the credentials of a source. The function acceptNextKey makes the
// next key the valid one, and writes it to the source.
func (r *rotation) open(t *testing.T, src source) (b storage.Bucket, s storage.Service, acceptNextKey func()) {
	c, update := src.config(t, r)
	c.Endpoint = r.server.URL
	c.Region = s3server.DefaultRegion
	c.Profile = newProfile(t, "aws")
	c.PathStyle = new(true)
	s, err := NewService(t.Context(), c)
	require.NoError(t, err)
	c.Bucket = "photos"
	b, err = Open(t.Context(), c)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, errors.Join(storage.Close(b), s.Close()))
	})
	return b, s, func() {
		r.valid.Add(1)
		update()
	}
}

// renewedCalls are calls whose first request is refused.
var renewedCalls = []struct {
	name string
	do   func(ctx context.Context, b storage.Bucket, s storage.Service) error
}{
	{
		name: "Upload",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := b.Upload(ctx, "a", strings.NewReader("hello world"))
			return err
		},
	},
	{
		name: "Upload in parts",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := b.Upload(ctx, "large", strings.NewReader(strings.Repeat("x", 6<<20)),
				storage.WithPartSize(5<<20))
			return err
		},
	},
	{
		name: "Download",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, _, err := storage.ReadAll(ctx, b, "kept")
			return err
		},
	},
	{
		name: "Attrs, a HEAD",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := b.Attrs(ctx, "kept")
			return err
		},
	},
	{
		name: "Exists of a missing object",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := b.Exists(ctx, "missing")
			return err
		},
	},
	{
		name: "List",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			return drain(b.List(ctx))
		},
	},
	{
		name: "Remove",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			return b.Remove(ctx, "none")
		},
	},
	{
		name: "RemoveAll",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := storage.RemoveAll(ctx, b, slices.Values([]string{"none", "neither"}))
			return err
		},
	},
	{
		name: "Copy",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := storage.Copy(ctx, b, "copy", b, "kept")
			return err
		},
	},
	{
		name: "Tags",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			_, err := storage.Tags(ctx, b, "kept")
			return err
		},
	},
	{
		name: "SetTags",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			return storage.SetTags(ctx, b, "kept", map[string]string{"k": "v"})
		},
	},
	{
		name: "ListUploads",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			return drain(storage.ListUploads(ctx, b))
		},
	},
	{
		name: "AbortUpload",
		do: func(ctx context.Context, b storage.Bucket, _ storage.Service) error {
			return storage.AbortUpload(ctx, b, storage.UploadEntry{Key: "a", Upload: "none"})
		},
	},
	{
		name: "BucketInfo, a HEAD",
		do: func(ctx context.Context, _ storage.Bucket, s storage.Service) error {
			_, err := s.BucketInfo(ctx, "photos")
			return err
		},
	},
	{
		name: "CreateBucket",
		do: func(ctx context.Context, _ storage.Bucket, s storage.Service) error {
			_, err := s.CreateBucket(ctx, "new")
			return err
		},
	},
	{
		name: "UpdateBucket",
		do: func(ctx context.Context, _ storage.Bucket, s storage.Service) error {
			_, err := s.UpdateBucket(ctx, "new", storage.WithCORS())
			return err
		},
	},
	{
		name: "DeleteBucket",
		do: func(ctx context.Context, _ storage.Bucket, s storage.Service) error {
			return s.DeleteBucket(ctx, "new")
		},
	},
	{
		name: "Buckets",
		do: func(ctx context.Context, _ storage.Bucket, s storage.Service) error {
			return drain(s.Buckets(ctx))
		},
	},
}

// drain reads a sequence, and returns its first error.
func drain[E any](entries func(yield func(E, error) bool)) error {
	for _, err := range entries {
		if err != nil {
			return err
		}
	}
	return nil
}

// If the store refuses the credentials of a call, the call gets new ones from their source, and
// succeeds.
func TestCredentialsRefusedReplaced(t *testing.T) {
	for _, src := range sources {
		for code, status := range map[string]int{
			"ExpiredToken":       http.StatusBadRequest,
			"InvalidAccessKeyId": http.StatusForbidden,
		} {
			t.Run(src.name+"/"+code, func(t *testing.T) {
				// The store accepts one access key at a time, and the source has this key.
				store := newRotation(t, code, status)
				bucket, account, acceptNextKey := store.open(t, src)
				_, err := bucket.Upload(t.Context(), "kept", strings.NewReader("hello world"))
				require.NoError(t, err)

				for _, call := range renewedCalls {
					// Let the bucket and the account get the key that is accepted now.
					require.NoError(t, drain(bucket.List(t.Context())))
					require.NoError(t, drain(account.Buckets(t.Context())))

					// From now on, the store refuses that key.
					acceptNextKey()
					require.NoError(t, call.do(t.Context(), bucket, account), call.name)
				}
			})
		}
	}
}

// Calls that are refused at the same time share the new credentials.
func TestCredentialsRefusedConcurrently(t *testing.T) {
	// The store accepts one access key at a time. The provider returns that key, and counts how often it is asked.
	store := newRotation(t, "ExpiredToken", http.StatusBadRequest)
	var retrievals atomic.Int64
	provider := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		retrievals.Add(1)
		return numberedKey(store.valid.Load()), nil
	})
	counted := source{config: func(*testing.T, *rotation) (c Config, update func()) {
		return Config{AWS: &aws.Config{Credentials: aws.NewCredentialsCache(provider)}}, nothingToUpdate
	}}
	bucket, _, acceptNextKey := store.open(t, counted)

	// In each round, all uploads are refused at first. The retry budget has fewer retries than
	// there are uploads.
	const rounds, uploads = 6, 50
	upload := func(ctx context.Context, i int) error {
		_, err := bucket.Upload(ctx, strconv.Itoa(i), strings.NewReader("hello"))
		return err
	}
	for range rounds {
		require.NoError(t, drain(bucket.List(t.Context())))
		acceptNextKey()
		require.NoError(t, running.Each(t.Context(), uploads, uploads, upload))
	}

	// The first key was retrieved once, and so was the key of each round.
	require.EqualValues(t, 1+rounds, retrievals.Load())
}

// If the token has expired when an upload fails, the abort of the upload uses the new token, so
// that no parts remain. See grafana/loki#8964.
func TestAbortPartsNewCredentials(t *testing.T) {
	// The store accepts one key at a time. This key is in a shared file. The store refuses other
	// keys with ExpiredToken.
	r := newRotation(t, "ExpiredToken", http.StatusBadRequest)
	b, _, acceptNextKey := r.open(t, source{config: configOfSharedFile})

	// When the body fails, the server no longer accepts the token with which the parts were sent.
	failingEnd := readerFunc(func([]byte) (int, error) {
		acceptNextKey()
		return 0, iotest.ErrTimeout
	})
	const partSize, size = 5 << 20, 11 << 20
	body := io.MultiReader(strings.NewReader(strings.Repeat("x", size)), failingEnd)

	_, err := b.Upload(t.Context(), "a", body, storage.WithPartSize(partSize), storage.WithConcurrency(1))
	require.ErrorIs(t, err, storage.BodyFailed)
	for entry, err := range storage.ListUploads(t.Context(), b) {
		require.NoError(t, err)
		require.Fail(t, "an upload is left", entry.Key)
	}
	require.NotZero(t, r.refused.Load(), "a request must have been refused")
}

// A readerFunc is a function that reads.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A call stops after one refused request. If the source might have new credentials, but has none, the call stops after
// the second refused request.
func TestCredentialsWithoutSuccessor(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	tests := []struct {
		name        string
		config      Config
		isValid     bool  // the store accepts the keys until they are rotated
		wantRefused int64 // requests of the first call after the rotation
	}{
		{
			name:        "keys of a Config",
			config:      Config{AccessKeyID: "key-1", SecretKey: "secret-1"},
			isValid:     true,
			wantRefused: 1,
		},
		{name: "a file that has the same keys, which were accepted", isValid: true, wantRefused: 2},
		{name: "a file with keys that were never accepted", wantRefused: 1},
		{
			name: "a static provider",
			config: Config{
				AWS: &aws.Config{
					Credentials: credentials.NewStaticCredentialsProvider("key-1", "secret-1", ""),
				},
			},
			isValid:     true,
			wantRefused: 2,
		},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			writeProfile(t, file, numberedKey(1))
			r := newRotation(t, "InvalidAccessKeyId", http.StatusForbidden)
			// The source keeps its keys when the store stops accepting them.
			unchangedSource := source{config: func(t *testing.T, _ *rotation) (c Config, update func()) {
				setEnv(t, map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file})
				return tt.config, nothingToUpdate
			}}
			b, _, acceptNextKey := r.open(t, unchangedSource)
			if tt.isValid {
				require.NoError(t, drain(b.List(t.Context())), "the first key is accepted")
			}

			// From now on, the store refuses the key of the source.
			acceptNextKey()
			require.ErrorIs(t, drain(b.List(t.Context())), storage.Unauthenticated)
			require.Equal(t, tt.wantRefused, r.refused.Load())

			// Later calls send one request each.
			const laterCalls = 3
			for range laterCalls {
				require.ErrorIs(t, drain(b.List(t.Context())), storage.Unauthenticated)
			}
			require.Equal(t, tt.wantRefused+laterCalls, r.refused.Load())
		})
	}
}

// A credentials file whose keys were refused is read again, because it may have been half written
// at the first call.
func TestCredentialsFileReadAgain(t *testing.T) {
	// The server accepts one key at a time. The file has an invalid key until rotate writes the key
	// that is valid then.
	r := newRotation(t, "InvalidAccessKeyId", http.StatusForbidden)
	file := filepath.Join(t.TempDir(), "credentials")
	invalidKey := numberedKey(40)
	writeProfile(t, file, invalidKey)
	b, _, rotate := r.open(t, source{config: func(t *testing.T, _ *rotation) (Config, func()) {
		setEnv(t, map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file})
		return Config{}, func() {
			writeProfile(t, file, numberedKey(r.valid.Load()))
		}
	}})
	require.ErrorIs(t, drain(b.List(t.Context())), storage.Unauthenticated)

	rotate()
	require.NoError(t, drain(b.List(t.Context())))
}

// The secret of an access key may change on the server, as MinIO permits, and in the credentials
// file. An open bucket then finds the new secret, and its calls succeed.
func TestCredentialsSecretChanges(t *testing.T) {
	// The server is replaced by another one at the same address.
	var current atomic.Pointer[s3server.Server]
	startServer := func(secret string) {
		server, err := s3server.Start(s3server.Config{
			Buckets:     []string{"photos"},
			Credentials: []s3server.Credential{{AccessKeyID: "key", SecretKey: secret}},
		})
		require.NoError(t, err)
		t.Cleanup(server.Close)
		current.Store(server)
	}
	startServer("secret-1")
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		current.Load().ServeHTTP(w, req)
	}))
	t.Cleanup(front.Close)

	// The bucket takes its credentials from the file.
	file := filepath.Join(t.TempDir(), "credentials")
	setEnv(t, map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file})
	writeProfile(t, file, aws.Credentials{AccessKeyID: "key", SecretAccessKey: "secret-1"})
	b, err := Open(t.Context(), Config{Bucket: "photos", Endpoint: front.URL, Region: s3server.DefaultRegion})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	// Each new secret is on the server and in the file before the next call.
	for _, secret := range []string{"secret-2", "secret-3"} {
		require.NoError(t, drain(b.List(t.Context())))
		startServer(secret)
		writeProfile(t, file, aws.Credentials{AccessKeyID: "key", SecretAccessKey: secret})

		// The SDK signs a listing, and the raw client an upload.
		require.NoError(t, drain(b.List(t.Context())))
		_, err = b.Upload(t.Context(), "a", strings.NewReader("hello"))
		require.NoError(t, err)
	}
}

// A 403 to a HEAD may mean refused credentials or a missing permission. The driver sends one GET to
// learn the reason. If the credentials are accepted, it remembers that.
func TestHeadDeniedAsksReason(t *testing.T) {
	// The server accepts the credentials, but permits nothing.
	var requests atomic.Int64
	denied := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("X-Amz-Request-Id", "R1")
		requests.Add(1)
		w.WriteHeader(http.StatusForbidden)
		if req.Method != http.MethodHead {
			_, _ = io.WriteString(w, "<Error><Code>AccessDenied</Code></Error>")
		}
	}))
	t.Cleanup(denied.Close)

	setEnv(t, map[string]string{"AWS_ACCESS_KEY_ID": "key-1", "AWS_SECRET_ACCESS_KEY": "secret-1"})
	b, err := Open(t.Context(), Config{
		Bucket:   "photos",
		Endpoint: denied.URL,
		Region:   s3server.DefaultRegion,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, storage.Close(b)) })

	const heads, gets = 5, 1
	for range heads {
		_, err := b.Attrs(t.Context(), "a")
		require.ErrorIs(t, err, storage.PermissionDenied)
	}
	require.EqualValues(t, heads+gets, requests.Load())
}
