package storagetest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// signedLinkCases are cases about stable URLs, which stay the same for a while, and about URLs that
// remove an object.
var signedLinkCases = []Case{
	{
		Name: "a stable URL stays the same until its window ends",
		Rule: "S7",
		Explanation: "it works, is valid for the TTL at least and for TTL and window at most, and differs by " +
			"key, window and TTL",
		Needs: storage.SignedURLs | storage.StableURLs,
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a", "b")
			// The window and the TTL together are less than a day. A policy of an account on Azure
			// may limit URLs to a day.
			const window, ttl = 12 * time.Hour, 10 * time.Minute
			sign := func(key string, window, ttl time.Duration) *storage.SignedURL {
				signedURL, err := b.SignedDownloadURL(t.Context(), key, storage.WithStableFor(window), storage.WithTTL(ttl))
				require.NoError(t, err)
				return signedURL
			}
			first := sign("a", window, ttl)
			second := sign("a", window, ttl)
			if !second.ExpiresAt.Equal(first.ExpiresAt) { // the window ended between the two calls
				first = second
				second = sign("a", window, ttl)
			}
			require.Equal(t, first, second)
			now := time.Now()
			require.False(t, first.ExpiresAt.Before(now.Add(ttl-time.Minute)), "a minute for the store's clock")
			require.False(t, first.ExpiresAt.After(now.Add(window+ttl+time.Minute)))
			response := t.do(first, nil, nil)
			require.Equal(t, http.StatusOK, response.status, response.body)
			require.Equal(t, "a", response.body)
			require.NotEqual(t, first.URL, sign("b", window, ttl).URL)
			require.NotEqual(t, first.URL, sign("a", window, ttl+time.Minute).URL)
			require.NotEqual(t, first.URL, sign("a", 6*time.Hour, ttl).URL)
		},
	},
	{
		Name:        "a window has bounds",
		Rule:        "S7",
		Explanation: "a window is from 1 second, and ends with its TTL within 7 days",
		Needs:       storage.SignedURLs | storage.StableURLs,
		run: func(t *T) {
			b := t.open()
			for _, opts := range [][]storage.SignedDownloadOption{
				{storage.WithStableFor(0)},
				{storage.WithStableFor(-time.Hour)},
				{storage.WithStableFor(time.Millisecond)},
				{storage.WithStableFor(7*24*time.Hour + 1)},
				// This window and the default TTL of an hour are together longer than 7 days.
				{storage.WithStableFor(7 * 24 * time.Hour)},
				{storage.WithStableFor(24 * time.Hour), storage.WithTTL(6*24*time.Hour + time.Second)},
			} {
				_, err := b.SignedDownloadURL(t.Context(), "a", opts...)
				t.requireNothingDone(err, storage.InvalidArgument)
			}
			_, err := b.SignedDownloadURL(t.Context(), "a", storage.WithStableFor(24*time.Hour),
				storage.WithTTL(6*24*time.Hour))
			require.NoError(t, err)
		},
	},
	{
		Name:        "a signed removal removes one object",
		Rule:        "S8",
		Explanation: "for each key of K3; its neighbour stays, and a reference must permit removals",
		Needs:       storage.SignedURLs | storage.SignedRemovals,
		run: func(t *T) {
			b := t.open()
			for _, key := range signedKeys() {
				if needs := keyNeeds(key); !t.has(needs) {
					continue
				}
				t.puts(b, key, "neighbour")
				signedURL, err := storage.SignedRemoveURL(t.Context(), b, key)
				require.NoError(t, err, key)
				require.Equal(t, http.MethodDelete, signedURL.Method)
				response := t.do(signedURL, nil, nil)
				require.Less(t, response.status, 300, "%s: %s", key, response.body)
				t.requireMissing(b, key)
				t.requireContent(b, "neighbour", "neighbour")
				// For an object that is already removed, Google and Azure respond 404.
				require.Contains(t, []int{200, 202, 204, 404}, t.do(signedURL, nil, nil).status, key)
			}
			narrowed := storage.Ref[storage.SignedDownloader](b)
			_, err := storage.SignedRemoveURL(t.Context(), storage.Ref[storage.Remover](b), "neighbour")
			require.NoError(t, err)
			_, isRemover := narrowed.(storage.Remover)
			if isRemover {
				_, err = storage.SignedRemoveURL(t.Context(), narrowed.(storage.Remover), "neighbour")
				t.requireNothingDone(err, storage.PermissionDenied)
			}
		},
	},
	{
		Name:        "a signed removal allows only DELETE",
		Rule:        "S8",
		Explanation: "with another method the store refuses it",
		Needs:       storage.SignedURLs | storage.SignedRemovals,
		run: func(t *T) {
			b := t.open()
			t.puts(b, "a")
			signedURL, err := storage.SignedRemoveURL(t.Context(), b, "a")
			require.NoError(t, err)
			for _, method := range []string{http.MethodGet, http.MethodPut} {
				altered := *signedURL
				altered.Method = method
				response := t.do(&altered, strings.NewReader("evil"), nil)
				require.GreaterOrEqual(t, response.status, 400, "%s: %s", method, response.body)
			}
			t.requireContent(b, "a", "a")
		},
	},
	{
		Name:        "a signed removal binds its version",
		Rule:        "S8",
		Explanation: "without the version, it would hide the object",
		Needs:       storage.SignedURLs | storage.SignedRemovals | storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned()
			one := t.put(b, "a", "one")
			t.put(b, "a", "two")
			signedURL, err := storage.SignedRemoveURL(t.Context(), b, "a", storage.WithVersion(one.Version))
			require.NoError(t, err)
			address := signedURL.URL
			signedURL.URL = replaceQuery(t, address, func(pairs []string, _ int) []string {
				return slices.DeleteFunc(pairs, func(pair string) bool {
					_, value, _ := strings.Cut(pair, "=")
					text, err := url.QueryUnescape(value)
					return err == nil && text == one.Version
				})
			})
			require.NotEqual(t, address, signedURL.URL)
			require.GreaterOrEqual(t, t.do(signedURL, nil, nil).status, 400)
			t.requireContent(b, "a", "two")
		},
	},
	{
		Name:        "a signed removal removes one version",
		Rule:        "S8",
		Explanation: "the version is lost for good, and the others stay",
		Needs:       storage.SignedURLs | storage.SignedRemovals | storage.Versioning,
		run: func(t *T) {
			b := t.openVersioned()
			one := t.put(b, "a", "one")
			t.put(b, "a", "two")
			signedURL, err := storage.SignedRemoveURL(t.Context(), b, "a", storage.WithVersion(one.Version))
			require.NoError(t, err)
			response := t.do(signedURL, nil, nil)
			require.Less(t, response.status, 300, response.body)
			t.requireContent(b, "a", "two")
			_, err = b.Download(t.Context(), "a", storage.WithVersion(one.Version))
			t.requireCode(err, storage.ObjectNotFound)
			require.Len(t, t.versions(b), 1)
		},
	},
}
