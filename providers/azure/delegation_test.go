package azure

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// A fixedToken is a credential whose token is its own text.
type fixedToken string

// GetToken returns the credential's own text, which is valid for an hour.
func (t fixedToken) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(t), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// A keyServer returns user delegation keys, as Azure does.
type keyServer struct {
	*httptest.Server
	requests atomic.Int32
	last     atomic.Pointer[service.KeyInfo] // of the latest request
	answer   func(w http.ResponseWriter, info service.KeyInfo)
}

// newKeyServer starts a keyServer. It responds with 418 to everything but a valid request for a key.
func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	s := &keyServer{answer: writeUserKey}
	s.Server = httptest.NewTLSServer(s)
	t.Cleanup(s.Close)
	return s
}

// ServeHTTP responds to a request for a user delegation key with the function answer, and to any
// other request with 418.
func (s *keyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var info service.KeyInfo
	if !isKeyRequest(r) || xml.NewDecoder(r.Body).Decode(&info) != nil {
		w.WriteHeader(http.StatusTeapot)
		return
	}

	s.requests.Add(1)
	s.last.Store(&info)
	w.Header().Set(requestIDHeader, "R1")
	s.answer(w, info)
}

// isKeyRequest reports whether r requests a user delegation key of testAccount.
func isKeyRequest(r *http.Request) bool {
	query := r.URL.Query()
	return r.Method == http.MethodPost &&
		strings.TrimSuffix(r.URL.Path, "/") == "/"+testAccount &&
		query.Get("comp") == "userdelegationkey" &&
		query.Get("restype") == "service" &&
		r.Header.Get("Authorization") == "Bearer token"
}

// writeUserKey responds with a key for the requested time.
func writeUserKey(w http.ResponseWriter, info service.KeyInfo) {
	const body = `<?xml version="1.0" encoding="utf-8"?><UserDelegationKey>` +
		`<SignedOid>object</SignedOid><SignedTid>tenant</SignedTid>` +
		`<SignedStart>%s</SignedStart><SignedExpiry>%s</SignedExpiry>` +
		`<SignedService>b</SignedService><SignedVersion>2026-12-06</SignedVersion>` +
		`<Value>%s</Value></UserDelegationKey>`
	fmt.Fprintf(w, body, *info.Start, *info.Expiry, base64.StdEncoding.EncodeToString([]byte("delegated")))
}

// open opens the container "photos". Its URLs are signed with keys of the server.
func (s *keyServer) open(t *testing.T) *objectDriver {
	t.Helper()
	d, err := NewDriver(t.Context(), Config{
		Bucket:     "photos",
		Endpoint:   s.URL + "/" + testAccount,
		Credential: fixedToken("token"),
		HTTPClient: s.Client(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

// signedDownload returns a request to sign a download of "a" for an hour. change may be nil.
func signedDownload(change func(r *driver.SignRequest)) *driver.SignRequest {
	r := &driver.SignRequest{Method: http.MethodGet, Key: "a", TTL: time.Hour, MinSize: -1, MaxSize: -1}
	if change != nil {
		change(r)
	}
	return r
}

// One user delegation key signs the URLs of all buckets of a service.
func TestUserKeySignsForAllBuckets(t *testing.T) {
	server := newKeyServer(t)
	photos := server.open(t)
	videos := photos.account.driver("videos")

	for range 3 {
		for _, d := range []*objectDriver{photos, videos} {
			signedURL, err := d.sign(t.Context(), signedDownload(nil), signedAt)
			require.NoError(t, err)
			require.Contains(t, signedURL.URL, server.URL+"/"+testAccount+"/"+d.container.name+"/a?")
			require.Contains(t, signedURL.URL, "&skoid=object&sktid=tenant&")
		}
	}
	require.EqualValues(t, 1, server.requests.Load())

	// The key begins 15 minutes early, because this machine's clock may be ahead. It lasts for the 7 days that Azure
	// permits.
	require.Equal(t, "2026-03-04T04:51:07Z", *server.last.Load().Start)
	require.Equal(t, "2026-03-11T04:51:07Z", *server.last.Load().Expiry)
}

// A signature by a user delegation key is the one that the SDK makes with the same key.
func TestUserKeySignatureMatchesSDK(t *testing.T) {
	server := newKeyServer(t)
	d := server.open(t)

	// The SDK takes the account's name from the first label of the host, 127.0.0.1.
	d.account.name = "127"

	// The SDK and the driver request the same key.
	start := time.Date(2026, 3, 4, 4, 51, 7, 0, time.UTC)
	end := start.Add(userKeyLife)
	credential, err := d.account.service.GetUserDelegationCredential(t.Context(), service.KeyInfo{
		Start:  new(start.Format(sasTime)),
		Expiry: new(end.Format(sasTime)),
	}, nil)
	require.NoError(t, err)
	key, err := d.account.requestUserKey(t.Context(), start, end)
	require.NoError(t, err)

	for name, grant := range grants() {
		t.Run(name, func(t *testing.T) {
			want, err := sdkValues(grant).SignWithUserDelegation(credential)
			require.NoError(t, err)

			got := key.signingKey.sign("https://acme.example", grant)
			require.Equal(t, parsedQuery(t, want.Encode()), parsedQuery(t, got))
		})
	}
}

// If an older Config.APIVersion has user delegation signatures, URLs are signed in the form of that
// version.
func TestUserKeySignsForOlderVersions(t *testing.T) {
	tests := []struct{ version, want string }{
		{version: "2020-12-06", want: "2020-12-06"},
		{version: "2024-11-04", want: "2024-11-04"},
		{version: "2025-11-05", want: olderDelegation},
		{version: sasVersion, want: sasVersion},
	}
	for _, tt := range tests {
		t.Run(tt.version, func(t *testing.T) {
			d := newKeyServer(t).openVersion(t, tt.version)
			require.NotZero(t, d.Describe().Features&storage.SignedURLs)

			signedURL, err := d.Sign(t.Context(), signedDownload(nil))
			require.NoError(t, err)
			require.Equal(t, tt.want, parsedQuery(t, signedURL.URL).Get("sv"))
		})
	}
}

// With a Config.APIVersion that is too old for the signature of a user delegation key, the driver does not sign.
func TestUserKeyOfOldVersion(t *testing.T) {
	desc := newKeyServer(t).openVersion(t, "2019-07-07").Describe()
	require.Zero(t, desc.Features&storage.SignedURLs)
	require.Contains(t, desc.SigningHint, scopeVersion)
}

// openVersion is like the method open, but sets Config.APIVersion.
func (s *keyServer) openVersion(t *testing.T, version string) driver.Driver {
	t.Helper()
	d, err := NewDriver(t.Context(), Config{
		Bucket:     "photos",
		Endpoint:   s.URL + "/" + testAccount,
		Credential: fixedToken("token"),
		HTTPClient: s.Client(),
		APIVersion: version,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// A signed URL expires no later than the user delegation key that signed it.
func TestUserKeyExpiry(t *testing.T) {
	const week = 7 * 24 * time.Hour

	// The URL is signed at 5:06:07.89 on March 4. The key begins 15 minutes earlier, and is valid for a week.
	keyEnd := time.Date(2026, 3, 11, 4, 51, 7, 0, time.UTC)
	tests := []struct {
		name string
		ttl  time.Duration
		want time.Time
	}{
		// A URL expires at a whole second, so a fraction of a second is rounded up.
		{name: "URL expires before the key", ttl: time.Hour, want: time.Date(2026, 3, 4, 6, 6, 8, 0, time.UTC)},
		{
			name: "URL expires shortly before the key",
			ttl:  week - 16*time.Minute,
			want: time.Date(2026, 3, 11, 4, 50, 8, 0, time.UTC),
		},
		{name: "URL would outlast the key", ttl: week, want: keyEnd},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newKeyServer(t).open(t)
			signedURL, err := d.sign(t.Context(), signedDownload(func(r *driver.SignRequest) {
				r.TTL = tt.ttl
			}), signedAt)
			require.NoError(t, err)
			require.Equal(t, tt.want, signedURL.ExpiresAt)
			require.Equal(t, tt.want.Format(sasTime), parsedQuery(t, signedURL.URL).Get("se"))
		})
	}
}

// A user delegation key signs URLs for an hour, even URLs that expire after the key. An older key
// is renewed before it signs again.
func TestUserKeyRenewal(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name         string
		later        time.Duration // the time from the first signature to the second
		ttl          time.Duration // of the second URL
		wantRequests int32         // for keys, in all
	}{
		{name: "a fresh key serves", later: 59 * time.Minute, ttl: time.Hour, wantRequests: 1},
		{name: "a fresh key serves a long URL", later: 59 * time.Minute, ttl: 7 * day, wantRequests: 1},
		{name: "a key of an hour is renewed", later: time.Hour, ttl: time.Second, wantRequests: 2},
		{name: "an expired key is renewed", later: 8 * day, ttl: time.Second, wantRequests: 2},
		{name: "a key that would expire before the URL is renewed", later: 6 * day, ttl: 2 * day, wantRequests: 2},
		{name: "a clock that was put back", later: -day, ttl: time.Hour, wantRequests: 1},
		{name: "a clock that was put back before the key", later: -30 * day, ttl: time.Hour, wantRequests: 1},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The driver has requested a key for the first signature, at signedAt.
			server, d := openWithUserKey(t)

			_, err := d.sign(t.Context(), signedDownload(func(r *driver.SignRequest) {
				r.TTL = tt.ttl
			}), signedAt.Add(tt.later))
			require.NoError(t, err)
			require.Equal(t, tt.wantRequests, server.requests.Load())
		})
	}
}

// openWithUserKey opens a container, and signs a URL at the time signedAt. For this signature, the
// driver requests a user delegation key.
func openWithUserKey(t *testing.T) (*keyServer, *objectDriver) {
	t.Helper()
	server := newKeyServer(t)
	d := server.open(t)
	_, err := d.sign(t.Context(), signedDownload(nil), signedAt)
	require.NoError(t, err)
	return server, d
}

// answerUnavailable responds as Azure does while it is overloaded.
func answerUnavailable(w http.ResponseWriter, _ service.KeyInfo) {
	w.WriteHeader(http.StatusServiceUnavailable)
}

// If the renewal of the user delegation key fails temporarily, the current key stays in use. The
// renewal is tried again after a minute.
func TestUserKeyRenewalFails(t *testing.T) {
	server, d := openWithUserKey(t)
	server.answer = answerUnavailable

	// The key is an hour old, and is due for renewal.
	for _, age := range []time.Duration{
		time.Hour, // the first try
		time.Hour + time.Second,
		time.Hour + 59*time.Second,
		time.Hour + time.Minute, // the second try
	} {
		_, err := d.sign(t.Context(), signedDownload(nil), signedAt.Add(age))
		require.NoError(t, err)
	}
	require.EqualValues(t, 1+2, server.requests.Load(), "there must be requests for the first key and for two tries")
}

// Signing fails if the renewal of the user delegation key fails, and the current key would expire
// before the URL.
func TestUserKeyRenewalFailsForLongURL(t *testing.T) {
	server, d := openWithUserKey(t)
	server.answer = answerUnavailable

	// The key is valid for seven days. On the sixth day, it does not outlast a URL of two days.
	_, err := d.sign(t.Context(), signedDownload(func(r *driver.SignRequest) {
		r.TTL = 48 * time.Hour
	}), signedAt.Add(6*24*time.Hour))
	require.ErrorIs(t, err, storage.Unavailable)
}

// If there is no token for the renewal of a user delegation key, the current key stays in use.
func TestUserKeyRenewalWithoutToken(t *testing.T) {
	cache := userKeyCache{key: newUserKey(signedAt)}
	request := func(context.Context, time.Time, time.Time) (*userKey, error) {
		return nil, &storage.Error{Code: storage.Unauthenticated}
	}
	key, err := cache.get(t.Context(), signedAt.Add(time.Hour), time.Hour, request)
	require.NoError(t, err)
	require.Same(t, cache.key, key)
}

// If the account may no longer get a user delegation key when the current one must be renewed,
// signing fails. The driver then forgets the current key.
func TestUserKeyRenewalForbidden(t *testing.T) {
	// After an hour, the key must be renewed.
	server, d := openWithUserKey(t)
	later := signedAt.Add(time.Hour)

	server.answer = func(w http.ResponseWriter, _ service.KeyInfo) {
		w.WriteHeader(http.StatusForbidden)
	}
	_, err := d.sign(t.Context(), signedDownload(nil), later)
	require.ErrorIs(t, err, storage.PermissionDenied)

	// Now a temporary failure is an error, too, because the driver has forgotten the old key.
	server.answer = answerUnavailable
	_, err = d.sign(t.Context(), signedDownload(nil), later)
	require.ErrorIs(t, err, storage.Unavailable, "no key must be left to serve on")

	// With permission, the account gets a new key.
	server.answer = writeUserKey
	_, err = d.sign(t.Context(), signedDownload(nil), later)
	require.NoError(t, err)
	require.EqualValues(t, 4, server.requests.Load(), "the first key and each of these signatures need a request")
}

// An error for a missing permission to get a user delegation key has a hint, and does not show the
// token.
func TestUserKeyPermissionHint(t *testing.T) {
	server := newKeyServer(t)
	server.answer = func(w http.ResponseWriter, _ service.KeyInfo) {
		w.Header().Set("X-Ms-Error-Code", "AuthorizationPermissionMismatch")
		w.WriteHeader(http.StatusForbidden)
	}
	_, err := server.open(t).sign(t.Context(), signedDownload(nil), signedAt)
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.ErrorContains(t, err, "Storage Blob Delegator")
	require.NotContains(t, err.Error(), "Bearer")
}

// Signing fails if the service's response has no valid user delegation key, and the error does not
// show the response.
func TestUserKeyInvalidResponses(t *testing.T) {
	const (
		secret    = "dG9wLXNlY3JldA"
		base64Key = secret + "=="
		brokenKey = secret + "!!"
		begin     = "<UserDelegationKey><SignedOid>o</SignedOid>"
	)
	tests := []struct {
		name string
		body string
	}{
		{name: "no XML", body: "<<" + brokenKey},
		{name: "nothing", body: "<UserDelegationKey></UserDelegationKey>"},
		{
			name: "a key not in base64",
			body: begin + "<SignedStart>2026-03-04T04:51:07Z</SignedStart>" +
				"<SignedExpiry>2026-03-11T04:51:07Z</SignedExpiry><Value>" + brokenKey + "</Value></UserDelegationKey>",
		},
		{name: "a key without end", body: begin + "<Value>" + base64Key + "</Value></UserDelegationKey>"},
	}

	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newKeyServer(t)
			server.answer = func(w http.ResponseWriter, _ service.KeyInfo) {
				_, _ = io.WriteString(w, tt.body)
			}

			_, err := server.open(t).sign(t.Context(), signedDownload(nil), signedAt)
			require.Error(t, err)
			require.NotContains(t, err.Error(), secret)
		})
	}
}

// newUserKey returns a user delegation key that was requested at the given time.
func newUserKey(now time.Time) *userKey {
	return &userKey{signingKey: testUserKey(), created: now, expires: now.Add(userKeyLife - clockSkew)}
}

// Concurrent callers make one request for a user delegation key, and share its result.
func TestUserKeyRequestedOnce(t *testing.T) {
	const callers = 40
	for name, wantErr := range map[string]error{"a key": nil, "a failure": storage.Unavailable} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				// The request for the key waits until the test closes the channel respond.
				var cache userKeyCache
				requests := 0
				respond := make(chan struct{})
				request := func(context.Context, time.Time, time.Time) (*userKey, error) {
					requests++
					<-respond
					if wantErr != nil {
						return nil, wantErr
					}
					return newUserKey(signedAt), nil
				}

				// All callers ask for a key at the same time.
				keys := make([]*userKey, callers)
				errs := make([]error, callers)
				var group sync.WaitGroup
				for i := range callers {
					group.Go(func() {
						keys[i], errs[i] = cache.get(t.Context(), signedAt, time.Hour, request)
					})
				}

				// One caller has made the request, and all others wait for it.
				synctest.Wait()
				close(respond)
				group.Wait()

				require.Equal(t, 1, requests)
				for i := range callers {
					require.Same(t, keys[0], keys[i])
					require.Equal(t, wantErr, errs[i])
				}
			})
		})
	}
}

// While one call renews the user delegation key, other calls sign with the current one.
func TestUserKeyRenewalDoesNotBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		old := newUserKey(signedAt)
		later := signedAt.Add(time.Hour)
		renewed := newUserKey(later)
		cache := userKeyCache{key: old}

		// The request for the renewed key waits until the test closes the channel respond.
		respond := make(chan struct{})
		request := func(context.Context, time.Time, time.Time) (*userKey, error) {
			<-respond
			return renewed, nil
		}

		// The old key is an hour old, so the first call renews it.
		var first *userKey
		var group sync.WaitGroup
		group.Go(func() {
			first, _ = cache.get(t.Context(), later, time.Hour, request)
		})

		// The first call waits for the renewed key. The second one gets the old key at once, without a request.
		synctest.Wait()
		key, err := cache.get(t.Context(), later, time.Hour, nil)
		require.NoError(t, err)
		require.Same(t, old, key)

		// The first call gets the renewed key, which later calls use.
		close(respond)
		group.Wait()
		require.Same(t, renewed, first)
		require.Same(t, renewed, cache.key)
	})
}

// hangingRequest requests a key from a service that does not respond until ctx ends.
func hangingRequest(ctx context.Context, _, _ time.Time) (*userKey, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A caller waits for another caller's request for a user delegation key. If the waiting caller
// gives up, the request continues.
func TestUserKeyWaiterCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The first caller's request gets no response until the channel respond is closed.
		var cache userKeyCache
		respond := make(chan struct{})
		requestKey := func(context.Context, time.Time, time.Time) (*userKey, error) {
			<-respond
			return newUserKey(signedAt), nil
		}
		firstErr := make(chan error, 1)
		go func() {
			_, err := cache.get(t.Context(), signedAt, time.Hour, requestKey)
			firstErr <- err
		}()
		synctest.Wait()

		// The second caller waits for that request, and gives up after a second. It makes no
		// request of its own, because that would call a nil function.
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := cache.get(ctx, signedAt, time.Hour, nil)
		require.ErrorIs(t, err, context.DeadlineExceeded)

		// The first caller still gets its key.
		close(respond)
		require.NoError(t, <-firstErr)
	})
}

// Several callers wait for one request for a user delegation key. If the caller that makes it is canceled, another
// caller makes a new request.
func TestUserKeyRequesterCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// The first caller's request hangs until its context ends.
		var cache userKeyCache
		ctx, cancel := context.WithCancel(t.Context())
		firstErr := make(chan error, 1)
		go func() {
			_, err := cache.get(ctx, signedAt, time.Hour, hangingRequest)
			firstErr <- err
		}()
		synctest.Wait()

		// The second caller waits for that request. Its own request would succeed.
		request := func(context.Context, time.Time, time.Time) (*userKey, error) {
			return newUserKey(signedAt), nil
		}
		var secondKey *userKey
		secondErr := make(chan error, 1)
		go func() {
			var err error
			secondKey, err = cache.get(t.Context(), signedAt, time.Hour, request)
			secondErr <- err
		}()
		synctest.Wait()

		// The first caller gives up, and the second one makes its own request.
		cancel()
		require.ErrorIs(t, <-firstErr, context.Canceled)
		require.NoError(t, <-secondErr)
		require.NotNil(t, secondKey)
	})
}

// A request for a user delegation key ends after userKeyTime, even if the service does not respond.
func TestUserKeyRequestTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var cache userKeyCache
		start := time.Now()
		_, err := cache.get(t.Context(), signedAt, time.Hour, hangingRequest)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, userKeyTime, time.Since(start))
	})
}
