package azure

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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

// A tokenOf is a credential whose token is its own text.
type tokenOf string

func (t tokenOf) GetToken(context.Context, policy.TokenRequestOptions) (azcore.AccessToken, error) {
	return azcore.AccessToken{Token: string(t), ExpiresOn: time.Now().Add(time.Hour)}, nil
}

// A keyServer returns user delegation keys, as Azure does.
type keyServer struct {
	*httptest.Server
	asked  atomic.Int32
	last   atomic.Pointer[service.KeyInfo]
	answer func(w http.ResponseWriter, info service.KeyInfo)
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	s := &keyServer{answer: giveKey}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var info service.KeyInfo
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/"+testAccount+"/" && r.URL.Path != "/"+testAccount ||
			r.URL.Query().Get("comp") != "userdelegationkey" || r.URL.Query().Get("restype") != "service" ||
			r.Header.Get("Authorization") != "Bearer token" || xml.Unmarshal(body, &info) != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		s.asked.Add(1)
		s.last.Store(&info)
		w.Header().Set(requestIDHeader, "R1")
		s.answer(w, info)
	}))
	t.Cleanup(s.Close)
	return s
}

func giveKey(w http.ResponseWriter, info service.KeyInfo) {
	fmt.Fprintf(w, `<?xml version="1.0" encoding="utf-8"?><UserDelegationKey><SignedOid>object</SignedOid><SignedTid>tenant</SignedTid>`+
		`<SignedStart>%s</SignedStart><SignedExpiry>%s</SignedExpiry><SignedService>b</SignedService><SignedVersion>2026-12-06</SignedVersion>`+
		`<Value>%s</Value></UserDelegationKey>`, *info.Start, *info.Expiry, base64.StdEncoding.EncodeToString([]byte("delegated")))
}

func (s *keyServer) open(t *testing.T) *objectDriver {
	t.Helper()
	d, err := NewDriver(t.Context(), Config{Bucket: "photos", Endpoint: s.URL + "/" + testAccount, Credential: tokenOf("token"), HTTPClient: s.Client()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d.(*objectDriver)
}

func download(change func(r *driver.SignRequest)) *driver.SignRequest {
	r := &driver.SignRequest{Method: http.MethodGet, Key: "a", TTL: time.Hour, MinSize: -1, MaxSize: -1}
	if change != nil {
		change(r)
	}
	return r
}

// One user delegation key signs the URLs of all buckets of a service.
func TestUserKeySignsForAllBuckets(t *testing.T) {
	s := newKeyServer(t)
	d := s.open(t)
	other := d.account.driver("videos")

	for range 3 {
		for _, d := range []*objectDriver{d, other} {
			signedURL, err := d.sign(t.Context(), download(nil), signedAt)
			require.NoError(t, err)
			require.Contains(t, signedURL.URL, s.URL+"/"+testAccount+"/"+d.container.name+"/a?")
			require.Contains(t, signedURL.URL, "&skoid=object&sktid=tenant&")
		}
	}
	require.EqualValues(t, 1, s.asked.Load())
	require.Equal(t, "2026-03-04T04:51:07Z", *s.last.Load().Start, "15 minutes back: our clock may be ahead")
	require.Equal(t, "2026-03-11T04:51:07Z", *s.last.Load().Expiry, "7 days after that, which is the most")
}

// The SDK takes the account's name from the first label of the host, so the
// account has that name here.
func TestUserKeySignatureMatchesSDK(t *testing.T) {
	s := newKeyServer(t)
	d := s.open(t)
	start := "2026-03-04T04:51:07Z"
	end := "2026-03-11T04:51:07Z"
	credential, err := d.account.service.GetUserDelegationCredential(t.Context(), service.KeyInfo{Start: &start, Expiry: &end}, nil)
	require.NoError(t, err)
	d.account.name = "127"
	startTime, err := time.Parse(sasTime, start)
	require.NoError(t, err)
	key, err := d.account.requestUserKey(t.Context(), startTime, startTime.Add(userKeyLife))
	require.NoError(t, err)

	for name, g := range grants() {
		t.Run(name, func(t *testing.T) {
			want, err := sdkValues(g).SignWithUserDelegation(credential)
			require.NoError(t, err)
			require.Equal(t, parsedQuery(t, want.Encode()), parsedQuery(t, key.signingKey.sign("https://acme.example", g)))
		})
	}
}

// If Config.APIVersion is older than the newest form of a signature, URLs are signed in an older form.
func TestUserKeySignsForOlderVersions(t *testing.T) {
	s := newKeyServer(t)
	for version, want := range map[string]string{"2020-12-06": "2020-12-06", "2024-11-04": "2024-11-04", "2025-11-05": olderDelegation, sasVersion: sasVersion} {
		d, err := NewDriver(t.Context(), Config{Bucket: "photos", Endpoint: s.URL + "/" + testAccount, Credential: tokenOf("token"), HTTPClient: s.Client(), APIVersion: version})
		require.NoError(t, err)
		require.NotZero(t, d.Describe().Features&storage.SignedURLs, version)

		signedURL, err := d.Sign(t.Context(), download(nil))
		require.NoError(t, err)
		u, err := url.Parse(signedURL.URL)
		require.NoError(t, err)
		require.Equal(t, want, u.Query().Get("sv"), version)
		require.NoError(t, d.Close())
	}

	d, err := NewDriver(t.Context(), Config{Bucket: "photos", Endpoint: s.URL + "/" + testAccount, Credential: tokenOf("token"), HTTPClient: s.Client(), APIVersion: "2019-07-07"})
	require.NoError(t, err)
	require.Zero(t, d.Describe().Features&storage.SignedURLs)
	require.Contains(t, d.Describe().SigningHint, scopeVersion)
	require.NoError(t, d.Close())
}

// A signed URL expires no later than the user delegation key that signed it.
func TestUserKeyExpiry(t *testing.T) {
	end := time.Date(2026, 3, 11, 4, 51, 7, 0, time.UTC) // of a key that is requested at signedAt
	tests := map[string]struct {
		ttl  time.Duration
		want time.Time
	}{
		"a key that outlasts it": {time.Hour, time.Date(2026, 3, 4, 6, 6, 8, 0, time.UTC)},
		"a key that just does":   {7*24*time.Hour - 16*time.Minute, end.Add(-time.Minute + time.Second)},
		"a key that ends before": {7 * 24 * time.Hour, end},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			signedURL, err := newKeyServer(t).open(t).sign(t.Context(), download(func(r *driver.SignRequest) {
				r.TTL = tt.ttl
			}), signedAt)
			require.NoError(t, err)
			require.Equal(t, tt.want, signedURL.ExpiresAt)
			u, err := url.Parse(signedURL.URL)
			require.NoError(t, err)
			require.Equal(t, tt.want.Format(sasTime), u.Query().Get("se"))
		})
	}
}

// A user delegation key is used for an hour, even for URLs that it does not outlast. An older key is renewed
// before it signs again.
func TestUserKeyRenewal(t *testing.T) {
	const day = 24 * time.Hour
	tests := map[string]struct {
		later time.Duration
		ttl   time.Duration
		asked int32
	}{
		"a fresh one serves":                           {59 * time.Minute, time.Hour, 1},
		"a fresh one serves nearly its whole life":     {59 * time.Minute, 7 * day, 1},
		"one of an hour is renewed":                    {time.Hour, time.Second, 2},
		"one that is over is renewed":                  {8 * day, time.Second, 2},
		"one that would be over too early is renewed":  {6 * day, 2 * day, 2},
		"a clock that was put back asks for no more":   {-day, time.Hour, 1},
		"a clock that was put back to before it began": {-30 * day, time.Hour, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newKeyServer(t)
			d := s.open(t)
			_, err := d.sign(t.Context(), download(nil), signedAt)
			require.NoError(t, err)
			_, err = d.sign(t.Context(), download(func(r *driver.SignRequest) {
				r.TTL = tt.ttl
			}), signedAt.Add(tt.later))
			require.NoError(t, err)
			require.Equal(t, tt.asked, s.asked.Load())
		})
	}
}

func TestUserKeyRenewalErrors(t *testing.T) {
	unavailable := func(w http.ResponseWriter, _ service.KeyInfo) {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	forbidden := func(w http.ResponseWriter, _ service.KeyInfo) {
		w.WriteHeader(http.StatusForbidden)
	}
	newSigner := func(t *testing.T) (*keyServer, *objectDriver) {
		s := newKeyServer(t)
		d := s.open(t)
		_, err := d.sign(t.Context(), download(nil), signedAt)
		require.NoError(t, err)
		return s, d
	}

	t.Run("serves on, and is tried again after a minute", func(t *testing.T) {
		s, d := newSigner(t)
		s.answer = unavailable
		for _, delay := range []time.Duration{time.Hour, time.Hour + time.Second, time.Hour + 59*time.Second, time.Hour + time.Minute} {
			_, err := d.sign(t.Context(), download(nil), signedAt.Add(delay))
			require.NoError(t, err)
		}
		require.EqualValues(t, 3, s.asked.Load())
	})

	t.Run("and does not last is an error", func(t *testing.T) {
		s, d := newSigner(t)
		s.answer = unavailable
		_, err := d.sign(t.Context(), download(func(r *driver.SignRequest) {
			r.TTL = 48 * time.Hour
		}), signedAt.Add(6*24*time.Hour))
		require.ErrorIs(t, err, storage.Unavailable)
	})

	t.Run("because there is no token serves on", func(t *testing.T) {
		u := userKeyCache{key: userKeyOf(signedAt)}
		key, err := u.get(t.Context(), signedAt.Add(time.Hour), time.Hour, func(context.Context, time.Time, time.Time) (*userKey, error) {
			return nil, &storage.Error{Code: storage.Unauthenticated}
		})
		require.NoError(t, err)
		require.Same(t, u.key, key)
	})

	t.Run("because the right is gone is forgotten", func(t *testing.T) {
		s, d := newSigner(t)
		s.answer = forbidden

		_, err := d.sign(t.Context(), download(nil), signedAt.Add(time.Hour))
		require.ErrorIs(t, err, storage.PermissionDenied)
		s.answer = unavailable
		_, err = d.sign(t.Context(), download(nil), signedAt.Add(time.Hour))
		require.ErrorIs(t, err, storage.Unavailable, "there is no key to serve on")

		s.answer = giveKey
		_, err = d.sign(t.Context(), download(nil), signedAt.Add(time.Hour))
		require.NoError(t, err)
		require.EqualValues(t, 4, s.asked.Load())
	})
}

// A missing permission to get a user key has a hint.
func TestUserKeyPermissionHint(t *testing.T) {
	s := newKeyServer(t)
	s.answer = func(w http.ResponseWriter, _ service.KeyInfo) {
		w.Header().Set("X-Ms-Error-Code", "AuthorizationPermissionMismatch")
		w.WriteHeader(http.StatusForbidden)
	}
	_, err := s.open(t).sign(t.Context(), download(nil), signedAt)
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.ErrorContains(t, err, "Storage Blob Delegator")
	require.NotContains(t, err.Error(), "Bearer")
}

// An invalid response has no user key, and its error no secret.
func TestUserKeyInvalidResponses(t *testing.T) {
	const secret = "dG9wLXNlY3JldA!!"
	for name, body := range map[string]string{
		"no XML":              "<<" + secret,
		"nothing":             "<UserDelegationKey></UserDelegationKey>",
		"a key not in base64": "<UserDelegationKey><SignedOid>o</SignedOid><SignedStart>2026-03-04T04:51:07Z</SignedStart><SignedExpiry>2026-03-11T04:51:07Z</SignedExpiry><Value>" + secret + "</Value></UserDelegationKey>",
		"a key without end":   "<UserDelegationKey><SignedOid>o</SignedOid><Value>dG9wLXNlY3JldA==</Value></UserDelegationKey>",
	} {
		t.Run(name, func(t *testing.T) {
			s := newKeyServer(t)
			s.answer = func(w http.ResponseWriter, _ service.KeyInfo) {
				_, _ = io.WriteString(w, body)
			}
			_, err := s.open(t).sign(t.Context(), download(nil), signedAt)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "dG9wLXNlY3JldA")
		})
	}
}

func userKeyOf(now time.Time) *userKey {
	return &userKey{signingKey: testUserKey(), created: now, expires: now.Add(userKeyLife - clockSkew)}
}

// Concurrent callers request one user key.
func TestUserKeyRequestedOnce(t *testing.T) {
	for name, fails := range map[string]error{"a key": nil, "a failure": storage.Unavailable} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var u userKeyCache
				requests := 0
				release := make(chan struct{})
				ask := func(context.Context, time.Time, time.Time) (*userKey, error) {
					requests++
					<-release
					if fails != nil {
						return nil, fails
					}
					return userKeyOf(signedAt), nil
				}
				keys := make([]*userKey, 40)
				errs := make([]error, 40)
				var group sync.WaitGroup
				for i := range keys {
					group.Go(func() {
						keys[i], errs[i] = u.get(t.Context(), signedAt, time.Hour, ask)
					})
				}
				synctest.Wait()
				close(release)

				group.Wait()
				require.Equal(t, 1, requests)
				for i := range keys {
					require.Same(t, keys[0], keys[i])
					require.Equal(t, fails, errs[i])
				}
			})
		})
	}
}

// While one call renews the user delegation key, other calls sign with the current one.
func TestUserKeyRenewalDoesNotBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := userKeyCache{key: userKeyOf(signedAt)}
		old := u.key
		renewed := userKeyOf(signedAt.Add(time.Hour))
		release := make(chan struct{})
		ask := func(context.Context, time.Time, time.Time) (*userKey, error) {
			<-release
			return renewed, nil
		}
		var first *userKey
		var group sync.WaitGroup
		group.Go(func() {
			first, _ = u.get(t.Context(), signedAt.Add(time.Hour), time.Hour, ask)
		})
		synctest.Wait()

		key, err := u.get(t.Context(), signedAt.Add(time.Hour), time.Hour, nil)
		require.NoError(t, err)
		require.Same(t, old, key)

		close(release)
		group.Wait()
		require.Same(t, renewed, first)
		require.Same(t, renewed, u.key)
	})
}

// If one of several callers that wait for a user delegation key is canceled, the request continues for the others.
func TestUserKeyRequestCanceled(t *testing.T) {
	stuck := func(ctx context.Context, _, _ time.Time) (*userKey, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	t.Run("waiting leaves alone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var u userKeyCache
			release := make(chan struct{})
			var group sync.WaitGroup
			group.Go(func() {
				_, err := u.get(t.Context(), signedAt, time.Hour, func(context.Context, time.Time, time.Time) (*userKey, error) {
					<-release
					return userKeyOf(signedAt), nil
				})
				require.NoError(t, err)
			})
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()

			_, err := u.get(ctx, signedAt, time.Hour, nil)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			close(release)
			group.Wait()
		})
	})
	t.Run("asking leaves the others to ask", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var u userKeyCache
			ctx, cancel := context.WithCancel(t.Context())
			var group sync.WaitGroup
			group.Go(func() {
				_, err := u.get(ctx, signedAt, time.Hour, stuck)
				require.ErrorIs(t, err, context.Canceled)
			})
			synctest.Wait()
			group.Go(func() {
				key, err := u.get(t.Context(), signedAt, time.Hour, func(context.Context, time.Time, time.Time) (*userKey, error) { return userKeyOf(signedAt), nil })
				require.NoError(t, err)
				require.NotNil(t, key)
			})
			synctest.Wait()
			cancel()
			group.Wait()
		})
	})
	t.Run("no request for a key lasts for ever", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var u userKeyCache
			start := time.Now()
			_, err := u.get(t.Context(), signedAt, time.Hour, stuck)
			require.True(t, errors.Is(err, context.DeadlineExceeded))
			require.Equal(t, userKeyTime, time.Since(start))
		})
	})
}
