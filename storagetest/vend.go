package storagetest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// vendCases are cases about issuing vended credentials. Package vendedtest tests which requests the
// credentials permit. It is a separate package, because each provider needs its own code to open a
// bucket with credentials.
var vendCases = []Case{
	{
		Name: "vended credentials say what they are for, and show no secret",
		Rule: "S9",
		Explanation: "provider, bucket, prefix and end are set; the end is never later than asked for; text and " +
			"logs have no secret, and JSON has all",
		Needs: storage.Vending,
		run: func(t *T) {
			v := t.vend(t.open(), "users/1/", "")
			require.Equal(t, t.desc.Provider, v.Provider)
			require.NotEmpty(t, v.Bucket)
			require.Positive(t, time.Until(v.Expires))
			require.LessOrEqual(t, time.Until(v.Expires), time.Hour+time.Minute, "a minute between the clocks")
			forms := slices.Concat(loggedForms(v), loggedForms(*v), []string{v.String(), fmt.Sprintf("%q", v)})
			shown := strings.Join(forms, "\n")
			secret := 0
			for _, text := range []string{v.SecretKey, v.SessionToken, v.Token} {
				if text != "" {
					require.NotContains(t, shown, text)
					secret++
				}
			}
			require.Positive(t, secret)
			document, err := json.Marshal(v)
			require.NoError(t, err)
			var again storage.VendedCredentials
			require.NoError(t, json.Unmarshal(document, &again))
			require.Equal(t, *v, again)
		},
	},
	{
		Name:        "a prefixed bucket vends below its prefix",
		Rule:        "S9",
		Explanation: "the prefix of the credentials is that of the whole bucket",
		Needs:       storage.Vending,
		run: func(t *T) {
			b := t.open()
			if v := t.vend(b, "users/1/", ""); v.Prefix == "" {
				return // the store cannot restrict credentials to a prefix
			}
			require.Equal(t, "users/1/", t.vend(storage.Prefixed(b, "users/"), "1/").Prefix)
			require.Equal(t, "users/", t.vend(storage.Prefixed(b, "users/"), "").Prefix)
		},
	},
	{
		Name: "a bad argument of Vend is refused",
		Rule: "S9",
		Explanation: "a prefix that is neither empty nor of whole segments, no right, and a time that is too " +
			"short or too long are InvalidArgument, without a request",
		Needs: storage.Vending,
		run: func(t *T) {
			b := t.open()
			rights := storage.Rights{Read: true}
			count := t.countRequests(func() {
				for _, prefix := range []string{"users/1", "/", "/a/", "a//", "../", "a/../", "a\x00/", "a\\/"} {
					_, err := storage.Vend(t.Context(), b, prefix, rights, time.Hour)
					require.ErrorIs(t, err, storage.InvalidArgument, "%q", prefix)
				}
				_, err := storage.Vend(t.Context(), b, "", storage.Rights{}, time.Hour)
				require.ErrorIs(t, err, storage.InvalidArgument)
				for _, ttl := range []time.Duration{-time.Hour, 0, 15*time.Minute - 1, 12*time.Hour + 1} {
					_, err := storage.Vend(t.Context(), b, "", rights, ttl)
					require.ErrorIs(t, err, storage.InvalidArgument, ttl)
				}
			})
			require.Zero(t, count)
		},
	},
	{
		Name:        "a reference vends nothing",
		Rule:        "S9",
		Explanation: "Vend of a bucket that Ref has narrowed is PermissionDenied, whatever the permission",
		Needs:       storage.Vending,
		run: func(t *T) {
			b := t.open()
			for _, g := range grants {
				if narrowed, ok := g.narrow(b).(storage.Bucket); ok {
					_, err := storage.Vend(t.Context(), narrowed, "", storage.Rights{Read: true}, time.Hour)
					require.ErrorIs(t, err, storage.PermissionDenied, g.name)
				}
			}
		},
	},
}

// vend returns credentials for the first of the prefixes that the store supports, with all rights
// and for an hour.
func (t *T) vend(b storage.Bucket, prefixes ...string) *storage.VendedCredentials {
	t.Helper()
	allRights := storage.Rights{Read: true, List: true, Write: true, Remove: true}
	for _, prefix := range prefixes {
		credentials, err := storage.Vend(t.Context(), b, prefix, allRights, time.Hour)
		if storage.CodeOf(err) == storage.Unsupported {
			continue
		}
		require.NoError(t, err)
		return credentials
	}
	require.Fail(t, "the store vends credentials for none of the prefixes", "%q", prefixes)
	return nil
}
