package azure

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

// locking and lockless are the properties of containers with version-level immutability and
// without.
var (
	locking  = said{Header: map[string]string{"ETag": etag, "Last-Modified": aTime, "X-Ms-Immutable-Storage-With-Versioning-Enabled": "true"}}
	lockless = said{Header: map[string]string{"ETag": etag, "Last-Modified": aTime, "X-Ms-Immutable-Storage-With-Versioning-Enabled": "false"}}
	changed  = said{Header: map[string]string{"Date": aTime, "X-Ms-Immutability-Policy-Until-Date": aTime, "X-Ms-Legal-Hold": "true"}}
)

const containerRequest = "GET /photos?restype=container"

// httpDate is the form of times in Azure's headers.
func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// underPolicy returns the properties of an object with an immutability policy.
func underPolicy(mode string, retainUntil time.Time, pairs ...string) said {
	return anObject("hello", append(pairs, "X-Ms-Immutability-Policy-Mode", mode, "X-Ms-Immutability-Policy-Until-Date", httpDate(retainUntil))...)
}

// A lockedWrite is one way to write an object with controls.
type lockedWrite struct {
	answers []said // without the container's properties
	do      func(d *objectDriver, c storage.Controls) error
}

func lockedWrites(t *testing.T) map[string]lockedWrite {
	object := anObject("hello")
	return map[string]lockedWrite{
		"Put": {[]said{created}, func(d *objectDriver, c storage.Controls) error {
			r := wiretest.Put("a", "hello")
			r.Controls = c
			_, err := d.Put(t.Context(), r)
			return err
		}},
		"parts": {[]said{created}, func(d *objectDriver, c storage.Controls) error {
			r := wiretest.Put("a", "hello")
			r.Controls = c
			upload, err := d.BeginParts(t.Context(), r)
			if err == nil {
				_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{Put: r, Upload: upload})
			}
			return err
		}},
		"Copy": {[]said{object, accepted}, func(d *objectDriver, c storage.Controls) error {
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, "from"), Key: "a", Properties: plainText, Controls: c})
			return err
		}},
		"Copy in blocks": {[]said{object, created}, func(d *objectDriver, c storage.Controls) error {
			_, err := d.Copy(t.Context(), &driver.CopyRequest{Source: sourceOf(d, "from"), Key: "a", Controls: c})
			return err
		}},
		"Compose": {[]said{object, created}, func(d *objectDriver, c storage.Controls) error {
			_, err := d.Compose(t.Context(), &driver.ComposeRequest{Sources: []driver.ObjectRef{sourceOf(d, "from")}, Key: "a", Controls: c})
			return err
		}},
	}
}

// Every write sends its locks.
func TestLockHeadersOfWrites(t *testing.T) {
	retainUntil := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	for name, write := range lockedWrites(t) {
		for mode, header := range map[storage.RetentionMode]string{storage.Governance: "Unlocked", storage.Compliance: "Locked"} {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				s := newScript(t, append([]said{locking}, write.answers...)...)
				require.NoError(t, write.do(s.driver(t), storage.Controls{LegalHold: true, Retention: storage.Retention{Mode: mode, Until: retainUntil}}))
				require.Equal(t, containerRequest, s.server.Requests()[0].Line())
				got := s.server.Last(t).Header
				require.Equal(t, header, got.Get("X-Ms-Immutability-Policy-Mode"))
				require.Equal(t, httpDate(retainUntil), got.Get("X-Ms-Immutability-Policy-Until-Date"))
				require.Equal(t, "true", got.Get("X-Ms-Legal-Hold"))
			})
		}
		t.Run(name+" without locks", func(t *testing.T) {
			s := newScript(t, write.answers...)
			require.NoError(t, write.do(s.driver(t), storage.Controls{}))
			require.NotContains(t, s.server.Lines(), containerRequest)
			for _, header := range []string{"X-Ms-Immutability-Policy-Mode", "X-Ms-Immutability-Policy-Until-Date", "X-Ms-Legal-Hold"} {
				require.Empty(t, s.server.Last(t).Header.Get(header))
			}
		})
	}
}

// In a container without locks, a write with a retention or legal hold fails and stores nothing.
func TestLockInContainerWithoutLocks(t *testing.T) {
	for name, write := range lockedWrites(t) {
		tests := map[string]struct {
			answer said
			want   storage.Code
		}{
			"disabled":           {lockless, storage.Unsupported},
			"unknown to it":      {changed, storage.Unsupported},
			"a missing one":      {said{Status: http.StatusNotFound}, storage.BucketNotFound},
			"an unavailable one": {refusing(503, "ServerBusy"), storage.RateLimited},
		}
		for reason, tt := range tests {
			t.Run(name+", "+reason, func(t *testing.T) {
				s := newScript(t, tt.answer)
				err := write.do(s.driver(t), storage.Controls{LegalHold: true})

				var e *storage.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, tt.want, e.Code)
				require.False(t, e.Unknown)
				require.Equal(t, []string{containerRequest}, s.server.Lines())

				if tt.want == storage.Unsupported {
					require.Contains(t, e.Hint, "version-level immutability")
				}
			})
		}
	}
}

// If the credentials may not read the container's properties, the driver sends the lock, and Azure accepts or
// refuses it.
func TestLockInUnreadableContainer(t *testing.T) {
	s := newScript(t, said{Status: http.StatusForbidden}, created)
	r := wiretest.Put("a", "hello")
	r.LegalHold = true
	_, err := s.driver(t).Put(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "true", s.server.Last(t).Header.Get("X-Ms-Legal-Hold"))
}

func TestSetRetention(t *testing.T) {
	now := time.Now().Truncate(time.Second).UTC()
	early := now.Add(time.Hour)
	retainUntil := now.Add(2 * time.Hour)
	newTime := now.Add(3 * time.Hour)
	past := now.Add(-time.Hour)
	free := anObject("hello")
	governance := func(when time.Time) storage.Retention {
		return storage.Retention{Mode: storage.Governance, Until: when}
	}
	compliance := func(when time.Time) storage.Retention {
		return storage.Retention{Mode: storage.Compliance, Until: when}
	}
	none := storage.Retention{}
	const set, removed, container = "PUT /photos/a?comp=immutabilityPolicies", "DELETE /photos/a?comp=immutabilityPolicies", containerRequest

	tests := map[string]struct {
		found   said
		to      storage.Retention
		bypass  bool
		request string // after the first; "" means none
		code    storage.Code
	}{
		"a first one":                        {found: free, to: governance(retainUntil), request: set},
		"a first one in compliance":          {found: free, to: compliance(retainUntil), request: set},
		"a longer one":                       {found: underPolicy("unlocked", retainUntil), to: governance(newTime), request: set},
		"a longer one in compliance":         {found: underPolicy("locked", retainUntil), to: compliance(newTime), request: set},
		"a shorter one":                      {found: underPolicy("unlocked", retainUntil), to: governance(early), code: storage.Locked},
		"a shorter one, bypassed":            {found: underPolicy("unlocked", retainUntil), to: governance(early), bypass: true, request: set},
		"another mode":                       {found: underPolicy("unlocked", retainUntil), to: compliance(newTime), code: storage.Locked},
		"another mode, bypassed":             {found: underPolicy("unlocked", retainUntil), to: compliance(newTime), bypass: true, request: set},
		"none":                               {found: underPolicy("unlocked", retainUntil), to: none, code: storage.Locked},
		"none, bypassed":                     {found: underPolicy("unlocked", retainUntil), to: none, bypass: true, request: removed},
		"none of an inherited one, bypassed": {found: underPolicy("mutable", retainUntil), to: none, bypass: true, request: removed},
		"a shorter one in compliance":        {found: underPolicy("locked", retainUntil), to: compliance(early), bypass: true, code: storage.Locked},
		"a weaker one": {
			found:  underPolicy("locked", retainUntil),
			to:     governance(newTime),
			bypass: true,
			code:   storage.Locked,
		},
		"none in compliance":      {found: underPolicy("locked", retainUntil), to: none, bypass: true, code: storage.Locked},
		"a new one after another": {found: underPolicy("unlocked", past), to: governance(early), request: set},
		"none after one":          {found: underPolicy("locked", past), to: none, request: container},
		"none without one":        {found: free, to: none, request: container},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			answer := locking // to a question about the container
			if tt.request == set || tt.request == removed {
				answer = changed
			}
			s := newScript(t, tt.found, answer)

			err := s.driver(t).SetRetention(t.Context(), &driver.ChangeRequest{Key: "a", Retention: tt.to, BypassGovernance: tt.bypass})
			require.Equal(t, tt.code, storage.CodeOf(err), "%v", err)
			want := []string{"HEAD /photos/a"}
			if tt.request != "" {
				want = append(want, tt.request)
			}
			require.Equal(t, want, s.server.Lines())

			if tt.request == set {
				require.Equal(t, httpDate(tt.to.Until), s.server.Last(t).Header.Get("X-Ms-Immutability-Policy-Until-Date"))
				mode := map[storage.RetentionMode]string{storage.Governance: "Unlocked", storage.Compliance: "Locked"}[tt.to.Mode]
				require.Equal(t, mode, s.server.Last(t).Header.Get("X-Ms-Immutability-Policy-Mode"))
			}
		})
	}
}

func TestLocksOfVersions(t *testing.T) {
	const query = "&versionid=2026-11-20T12%3A00%3A01.0000000Z"
	retainUntil := time.Now().Add(time.Hour)
	s := newScript(t, anObject("hello"), changed)
	r := &driver.ChangeRequest{Key: "a", Version: versionAt(1), Retention: storage.Retention{Mode: storage.Governance, Until: retainUntil}}
	require.NoError(t, s.driver(t).SetRetention(t.Context(), r))
	require.Equal(t, []string{"HEAD /photos/a?" + query[1:], "PUT /photos/a?comp=immutabilityPolicies" + query}, s.server.Lines())
	for _, hold := range []bool{true, false} {
		s = newScript(t, changed)
		require.NoError(t, s.driver(t).SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "a", Version: versionAt(1), LegalHold: hold}))
		require.Equal(t, []string{"PUT /photos/a?comp=legalhold" + query}, s.server.Lines())
		require.Equal(t, map[bool]string{true: "true", false: "false"}[hold], s.server.Last(t).Header.Get("X-Ms-Legal-Hold"))
	}
}

func TestLockErrors(t *testing.T) {
	retention := storage.Retention{Mode: storage.Governance, Until: time.Now().Add(time.Hour)}
	tests := map[string]struct {
		answers []said // to the change, and then
		want    storage.Code
		hint    string
	}{
		"a missing object":              {[]said{refusing(404, "BlobNotFound")}, storage.ObjectNotFound, ""},
		"a missing container":           {[]said{refusing(404, "ContainerNotFound")}, storage.BucketNotFound, ""},
		"a container that cannot lock":  {[]said{refusing(409, "SomethingNew"), lockless}, storage.Unsupported, "version-level immutability"},
		"a container that says it so":   {[]said{refusing(400, "InvalidHeaderValue"), lockless}, storage.Unsupported, "version-level immutability"},
		"an emulator":                   {[]said{refusing(501, "APINotImplemented"), changed}, storage.Unsupported, "version-level immutability"},
		"another mistake":               {[]said{refusing(400, "InvalidHeaderValue"), locking}, storage.InvalidArgument, ""},
		"a locked policy":               {[]said{refusing(409, "ImmutabilityPolicyDeleteOnLockedPolicy")}, storage.Locked, ""},
		"a role that may not set locks": {[]said{refusing(403, "AuthorizationPermissionMismatch")}, storage.PermissionDenied, "Data Owner"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for what, change := range map[string]func(d *objectDriver) error{
				"retention": func(d *objectDriver) error {
					return d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "a", Retention: retention})
				},
				"hold": func(d *objectDriver) error {
					return d.SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "a", LegalHold: true})
				},
			} {
				answers := tt.answers
				if what == "retention" {
					answers = append([]said{anObject("hello")}, answers...)
				}
				s := newScript(t, answers...)
				err := change(s.driver(t))

				var e *storage.Error
				require.ErrorAs(t, err, &e, what)
				require.Equal(t, tt.want, e.Code, what)
				require.Contains(t, e.Hint, tt.hint, what)
				require.Len(t, s.server.Requests(), len(answers), what)
			}
		})
	}

	s := newScript(t, refusing(404, "BlobNotFound"))
	err := s.driver(t).SetRetention(t.Context(), &driver.ChangeRequest{Key: "a", Retention: retention})
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Len(t, s.server.Requests(), 1)

	err = storage.SetLegalHold(t.Context(), engine.New(newScript(t).driver(t)), "a", true, WithOptions(allOptions))
	require.ErrorIs(t, err, storage.Unsupported)
}

// Delete of a locked version fails with Locked. With WithGovernanceBypass, it first ends the retention.
func TestDeleteLockedVersion(t *testing.T) {
	retainUntil := time.Now().Add(time.Hour)
	past := time.Now().Add(-time.Hour)
	accepted := said{Status: http.StatusAccepted}
	const one, policy = "/photos/a?versionid=V", "/photos/a?comp=immutabilityPolicies&versionid=V"
	immutable := refusing(409, codeImmutable)
	refusal := refusing(409, "BlobImmutableDueToLegalHold")
	current := refusing(403, codeCurrentVersion)

	tests := map[string]struct {
		answers []said
		bypass  bool
		want    storage.Code
		lines   []string
	}{
		"under retention":        {answers: []said{immutable}, want: storage.Locked, lines: []string{"DELETE " + one}},
		"under a hold":           {answers: []said{refusal}, want: storage.Locked, lines: []string{"DELETE " + one}},
		"under a hold, bypassed": {answers: []said{refusal}, bypass: true, want: storage.Locked, lines: []string{"DELETE " + one}},
		"bypassed": {
			answers: []said{immutable, underPolicy("unlocked", retainUntil), changed, accepted},
			bypass:  true,
			want:    "",
			lines:   []string{"DELETE " + one, "HEAD " + one, "DELETE " + policy, "DELETE " + one},
		},
		"in compliance, bypassed": {
			answers: []said{immutable, underPolicy("locked", retainUntil)},
			bypass:  true,
			want:    storage.Locked,
			lines:   []string{"DELETE " + one, "HEAD " + one},
		},
		"a hold too, bypassed": {
			answers: []said{immutable, underPolicy("unlocked", retainUntil, "X-Ms-Legal-Hold", "true")},
			bypass:  true,
			want:    storage.Locked,
			lines:   []string{"DELETE " + one, "HEAD " + one},
		},
		"a policy that was locked since, bypassed": {
			answers: []said{immutable, underPolicy("unlocked", retainUntil), refusing(409, "ImmutabilityPolicyDeleteOnLockedPolicy")},
			bypass:  true,
			want:    storage.Locked,
			lines:   []string{"DELETE " + one, "HEAD " + one, "DELETE " + policy},
		},
		"the current one under retention": {
			answers: []said{current, underPolicy("unlocked", retainUntil)},
			want:    storage.Locked,
			lines:   []string{"DELETE " + one, "HEAD " + one},
		},
		"the current one under a hold": {
			answers: []said{current, anObject("x", "X-Ms-Legal-Hold", "true")},
			bypass:  true,
			want:    storage.Locked,
			lines:   []string{"DELETE " + one, "HEAD " + one},
		},
		"the current one in compliance": {
			answers: []said{current, underPolicy("locked", retainUntil)},
			bypass:  true,
			want:    storage.Locked,
			lines:   []string{"DELETE " + one, "HEAD " + one},
		},
		"the current one, bypassed": {
			answers: []said{current, underPolicy("unlocked", retainUntil), changed, accepted},
			bypass:  true,
			want:    "",
			lines:   []string{"DELETE " + one, "HEAD " + one, "DELETE " + policy, "DELETE /photos/a", "DELETE " + one},
		},
		"the current one after its retention": {
			answers: []said{current, underPolicy("locked", past), accepted},
			want:    "",
			lines:   []string{"DELETE " + one, "HEAD " + one, "DELETE /photos/a", "DELETE " + one},
		},
		"one that was removed meanwhile, bypassed": {
			answers: []said{immutable, refusing(404, "BlobNotFound")},
			bypass:  true,
			want:    "",
			lines:   []string{"DELETE " + one, "HEAD " + one},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, tt.answers...)
			err := s.driver(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a", Version: versionAt(1), BypassGovernance: tt.bypass})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			var got []string
			for _, line := range s.server.Lines() {
				got = append(got, strings.ReplaceAll(line, "2026-11-20T12%3A00%3A01.0000000Z", "V"))
			}
			require.Equal(t, tt.lines, got)
		})
	}

	s := newScript(t, immutable)
	err := s.driver(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a", BypassGovernance: true})
	require.ErrorIs(t, err, storage.Locked, "a container's own policy, which nothing bypasses")
	require.Len(t, s.server.Requests(), 1)
}

func TestLocksNeedAServiceThatHasThem(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"a hierarchical namespace": func(c *Config) {
			c.HierarchicalNamespace = true
		},
		"an older service": func(c *Config) {
			c.APIVersion = "2019-12-12"
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Zero(t, newScript(t).driver(t, change).Describe().Features&storage.ObjectLock)
		})
	}
	require.NotZero(t, newScript(t).driver(t).Describe().Features&storage.ObjectLock)
	require.NotZero(t, newScript(t).driver(t, func(c *Config) {
		c.APIVersion = lockVersion
	}).Describe().Features&storage.ObjectLock)
}

// Signed uploads with tags and locks are unsupported: a signature without the headers of a request cannot enforce
// them.
func TestSignedUploadURLTagsAndLocks(t *testing.T) {
	b := engine.New(newSigner(t, Config{}))
	for name, option := range map[string]storage.SignedUploadOption{
		"tags":      storage.WithTags(map[string]string{"k": "v"}),
		"retention": storage.WithRetention(time.Now().Add(time.Hour), storage.Governance),
		"hold":      storage.WithLegalHold(),
	} {
		_, err := b.SignedUploadURL(t.Context(), "a", option)
		var e *storage.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, storage.Unsupported, e.Code, name)
		require.Contains(t, e.Hint, "after the upload", name)
	}
}
