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

var (
	// lockingContainer has the properties of a container with version-level immutability.
	lockingContainer = reply{Header: map[string]string{
		"ETag":          etag,
		"Last-Modified": lastModified,
		"X-Ms-Immutable-Storage-With-Versioning-Enabled": "true",
	}}
	// plainContainer has the properties of a container without version-level immutability.
	plainContainer = reply{Header: map[string]string{
		"ETag":          etag,
		"Last-Modified": lastModified,
		"X-Ms-Immutable-Storage-With-Versioning-Enabled": "false",
	}}
	// changedLocks is the response to a change of a lock. It does not tell whether the container
	// can lock objects.
	changedLocks = reply{Header: map[string]string{
		"Date":                                lastModified,
		"X-Ms-Immutability-Policy-Until-Date": lastModified,
		"X-Ms-Legal-Hold":                     "true",
	}}
)

// containerRequest is the request for the properties of the container.
const containerRequest = "GET /photos?restype=container"

// httpDate returns a time in the form of Azure's headers.
func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// policyReply returns the properties of an object with an immutability policy. The further headers are pairs of a
// name and a value.
func policyReply(mode string, retainUntil time.Time, headers ...string) reply {
	headers = append(headers,
		"X-Ms-Immutability-Policy-Mode", mode,
		"X-Ms-Immutability-Policy-Until-Date", httpDate(retainUntil))
	return objectReply("hello", headers...)
}

// A lockedWrite is one way to write an object with a retention or a legal hold.
type lockedWrite struct {
	answers []reply // without the container's properties
	do      func(d *objectDriver, c storage.Controls) error
}

// lockedWrites returns each way of the driver to write an object, by its name.
func lockedWrites(t *testing.T) map[string]lockedWrite {
	object := objectReply("hello")
	return map[string]lockedWrite{
		"Put": {
			answers: []reply{created},
			do: func(d *objectDriver, c storage.Controls) error {
				req := wiretest.Put("a", "hello")
				req.Controls = c
				_, err := d.Put(t.Context(), req)
				return err
			},
		},
		"parts": {
			answers: []reply{created},
			do: func(d *objectDriver, c storage.Controls) error {
				req := wiretest.Put("a", "hello")
				req.Controls = c
				upload, err := d.BeginParts(t.Context(), req)
				if err != nil {
					return err
				}
				_, err = d.CompleteParts(t.Context(), &driver.CompleteRequest{Put: req, Upload: upload})
				return err
			},
		},
		"Copy": {
			answers: []reply{object, accepted},
			do: func(d *objectDriver, c storage.Controls) error {
				_, err := d.Copy(t.Context(), &driver.CopyRequest{
					Source:     sourceOf(d, "from"),
					Key:        "a",
					Properties: plainText,
					Controls:   c,
				})
				return err
			},
		},
		"Copy in blocks": {
			answers: []reply{object, created},
			do: func(d *objectDriver, c storage.Controls) error {
				_, err := d.Copy(t.Context(), &driver.CopyRequest{
					Source:   sourceOf(d, "from"),
					Key:      "a",
					Controls: c,
				})
				return err
			},
		},
		"Compose": {
			answers: []reply{object, created},
			do: func(d *objectDriver, c storage.Controls) error {
				_, err := d.Compose(t.Context(), &driver.ComposeRequest{
					Sources:  []driver.ObjectRef{sourceOf(d, "from")},
					Key:      "a",
					Controls: c,
				})
				return err
			},
		},
	}
}

// Each write with a retention and a legal hold asks whether the container can lock objects, and
// then sends both as headers.
func TestLockHeadersOfWrites(t *testing.T) {
	retainUntil := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	wantModes := map[storage.RetentionMode]string{
		storage.Governance: "Unlocked",
		storage.Compliance: "Locked",
	}
	for name, write := range lockedWrites(t) {
		for mode, wantMode := range wantModes {
			t.Run(name+" "+string(mode), func(t *testing.T) {
				replies := append([]reply{lockingContainer}, write.answers...)
				server := newCannedServer(t, replies...)
				err := write.do(server.openDriver(t), storage.Controls{
					LegalHold: true,
					Retention: storage.Retention{Mode: mode, Until: retainUntil},
				})
				require.NoError(t, err)

				require.Equal(t, containerRequest, server.Requests()[0].Line())
				got := server.Last(t).Header
				require.Equal(t, wantMode, got.Get("X-Ms-Immutability-Policy-Mode"))
				require.Equal(t, httpDate(retainUntil), got.Get("X-Ms-Immutability-Policy-Until-Date"))
				require.Equal(t, "true", got.Get("X-Ms-Legal-Hold"))
			})
		}
	}
}

// A write without a retention or a hold sends no lock, and does not ask whether the container can
// lock objects.
func TestNoLockHeadersOfWrites(t *testing.T) {
	for name, write := range lockedWrites(t) {
		t.Run(name, func(t *testing.T) {
			server := newCannedServer(t, write.answers...)
			require.NoError(t, write.do(server.openDriver(t), storage.Controls{}))
			require.NotContains(t, server.Lines(), containerRequest)
			for _, header := range []string{
				"X-Ms-Immutability-Policy-Mode", "X-Ms-Immutability-Policy-Until-Date", "X-Ms-Legal-Hold",
			} {
				require.Empty(t, server.Last(t).Header.Get(header))
			}
		})
	}
}

// A write with a retention or a legal hold fails in a container without locks, and stores nothing.
func TestLockInContainerWithoutLocks(t *testing.T) {
	tests := []struct {
		name   string
		answer reply // to the request for the properties of the container
		want   storage.Code
	}{
		{name: "locks disabled", answer: plainContainer, want: storage.Unsupported},
		// This answer does not tell whether the container can lock objects.
		{name: "locks unknown", answer: changedLocks, want: storage.Unsupported},
		{
			name:   "container missing",
			answer: reply{Status: http.StatusNotFound},
			want:   storage.BucketNotFound,
		},
		{name: "server busy", answer: errorReply(503, "ServerBusy"), want: storage.RateLimited},
	}

	// Put, an upload in parts, copies and Compose are tried.
	for name, write := range lockedWrites(t) {
		for _, tt := range tests {
			t.Run(name+", "+tt.name, func(t *testing.T) {
				server := newCannedServer(t, tt.answer)
				err := write.do(server.openDriver(t), storage.Controls{LegalHold: true})

				var e *storage.Error
				require.ErrorAs(t, err, &e)
				require.Equal(t, tt.want, e.Code)
				if tt.want == storage.Unsupported {
					require.Contains(t, e.Hint, "version-level immutability")
				}

				require.Equal(t, []string{containerRequest}, server.Lines(), "the object must not be sent")
				require.False(t, e.Unknown, "the outcome must be known")
			})
		}
	}
}

// The driver sends a lock even if the credentials may not read the container's properties, and
// leaves the decision to Azure.
func TestLockInUnreadableContainer(t *testing.T) {
	server := newCannedServer(t, reply{Status: http.StatusForbidden}, created)
	r := wiretest.Put("a", "hello")
	r.LegalHold = true

	_, err := server.openDriver(t).Put(t.Context(), r)
	require.NoError(t, err)
	require.Equal(t, "true", server.Last(t).Header.Get("X-Ms-Legal-Hold"))
}

// SetRetention reads the current policy of the object, and sets or removes it. A policy of the mode Governance can be
// shortened or removed only with a bypass, and one of the mode Compliance not at all.
func TestSetRetention(t *testing.T) {
	now := time.Now().Truncate(time.Second).UTC()
	shorter := now.Add(time.Hour)
	retainUntil := now.Add(2 * time.Hour)
	longer := now.Add(3 * time.Hour)
	past := now.Add(-time.Hour)
	noPolicy := objectReply("hello")
	governance := func(when time.Time) storage.Retention {
		return storage.Retention{Mode: storage.Governance, Until: when}
	}
	compliance := func(when time.Time) storage.Retention {
		return storage.Retention{Mode: storage.Compliance, Until: when}
	}
	none := storage.Retention{}
	const (
		set    = "PUT /photos/a?comp=immutabilityPolicies"
		remove = "DELETE /photos/a?comp=immutabilityPolicies"
	)

	// Azure calls the mode Governance "unlocked", and Compliance "locked".
	tests := []struct {
		name        string
		object      reply // with its current policy
		to          storage.Retention
		bypass      bool
		wantRequest string // after that for the policy; "" if there is none
		wantCode    storage.Code
	}{
		{name: "set Governance", object: noPolicy, to: governance(retainUntil), wantRequest: set},
		{name: "set Compliance", object: noPolicy, to: compliance(retainUntil), wantRequest: set},
		{
			name:        "extend Governance",
			object:      policyReply("unlocked", retainUntil),
			to:          governance(longer),
			wantRequest: set,
		},
		{
			name:        "extend Compliance",
			object:      policyReply("locked", retainUntil),
			to:          compliance(longer),
			wantRequest: set,
		},
		{
			name:     "shorten Governance",
			object:   policyReply("unlocked", retainUntil),
			to:       governance(shorter),
			wantCode: storage.Locked,
		},
		{
			name:        "shorten Governance, with a bypass",
			object:      policyReply("unlocked", retainUntil),
			to:          governance(shorter),
			bypass:      true,
			wantRequest: set,
		},
		{
			name:     "replace Governance by Compliance",
			object:   policyReply("unlocked", retainUntil),
			to:       compliance(longer),
			wantCode: storage.Locked,
		},
		{
			name:        "replace Governance by Compliance, with a bypass",
			object:      policyReply("unlocked", retainUntil),
			to:          compliance(longer),
			bypass:      true,
			wantRequest: set,
		},
		{name: "remove Governance", object: policyReply("unlocked", retainUntil), to: none, wantCode: storage.Locked},
		{
			name:        "remove Governance, with a bypass",
			object:      policyReply("unlocked", retainUntil),
			to:          none,
			bypass:      true,
			wantRequest: remove,
		},
		{
			name:        "remove a policy that the container gave, with a bypass",
			object:      policyReply("mutable", retainUntil),
			to:          none,
			bypass:      true,
			wantRequest: remove,
		},
		{
			name:     "shorten Compliance, with a bypass",
			object:   policyReply("locked", retainUntil),
			to:       compliance(shorter),
			bypass:   true,
			wantCode: storage.Locked,
		},
		{
			name:     "replace Compliance by Governance, with a bypass",
			object:   policyReply("locked", retainUntil),
			to:       governance(longer),
			bypass:   true,
			wantCode: storage.Locked,
		},
		{
			name:     "remove Compliance, with a bypass",
			object:   policyReply("locked", retainUntil),
			to:       none,
			bypass:   true,
			wantCode: storage.Locked,
		},
		{
			name:        "set Governance after another policy expired",
			object:      policyReply("unlocked", past),
			to:          governance(shorter),
			wantRequest: set,
		},
		// If no policy is in force, the driver only asks whether the container can lock objects.
		{name: "remove an expired policy", object: policyReply("locked", past), to: none, wantRequest: containerRequest},
		{name: "remove from an object without a policy", object: noPolicy, to: none, wantRequest: containerRequest},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			answer := changedLocks
			if tt.wantRequest == containerRequest {
				answer = lockingContainer
			}
			server := newCannedServer(t, tt.object, answer)
			err := server.openDriver(t).SetRetention(t.Context(), &driver.ChangeRequest{
				Key:              "a",
				Retention:        tt.to,
				BypassGovernance: tt.bypass,
			})
			require.Equal(t, tt.wantCode, storage.CodeOf(err), "%v", err)

			want := []string{"HEAD /photos/a"}
			if tt.wantRequest != "" {
				want = append(want, tt.wantRequest)
			}
			require.Equal(t, want, server.Lines())

			if tt.wantRequest == set {
				modes := map[storage.RetentionMode]string{
					storage.Governance: "Unlocked",
					storage.Compliance: "Locked",
				}
				header := server.Last(t).Header
				require.Equal(t, modes[tt.to.Mode], header.Get("X-Ms-Immutability-Policy-Mode"))
				require.Equal(t, httpDate(tt.to.Until), header.Get("X-Ms-Immutability-Policy-Until-Date"))
			}
		})
	}
}

// SetRetention of a version sends its id with both requests.
func TestSetRetentionOfVersion(t *testing.T) {
	server := newCannedServer(t, objectReply("hello"), changedLocks)
	req := &driver.ChangeRequest{
		Key:       "a",
		Version:   versionAt(1),
		Retention: storage.Retention{Mode: storage.Governance, Until: time.Now().Add(time.Hour)},
	}

	require.NoError(t, server.openDriver(t).SetRetention(t.Context(), req))
	require.Equal(t, []string{
		"HEAD /photos/a?versionid=2026-11-20T12%3A00%3A01.0000000Z",
		"PUT /photos/a?comp=immutabilityPolicies&versionid=2026-11-20T12%3A00%3A01.0000000Z",
	}, server.Lines())
}

// SetLegalHold of a version sends its id and the hold.
func TestSetLegalHoldOfVersion(t *testing.T) {
	tests := []struct {
		hold bool
		want string // the header
	}{
		{hold: true, want: "true"},
		{hold: false, want: "false"},
	}
	for _, tt := range tests {
		t.Run(tt.want, func(t *testing.T) {
			server := newCannedServer(t, changedLocks)
			require.NoError(t, server.openDriver(t).SetLegalHold(t.Context(), &driver.ChangeRequest{
				Key:       "a",
				Version:   versionAt(1),
				LegalHold: tt.hold,
			}))
			require.Equal(t, []string{
				"PUT /photos/a?comp=legalhold&versionid=2026-11-20T12%3A00%3A01.0000000Z",
			}, server.Lines())
			require.Equal(t, tt.want, server.Last(t).Header.Get("X-Ms-Legal-Hold"))
		})
	}
}

// If Azure refuses to change a lock, SetRetention and SetLegalHold fail with the same Code. After a refusal without a
// clear reason, they ask whether the container can lock objects.
func TestLockErrors(t *testing.T) {
	retention := storage.Retention{Mode: storage.Governance, Until: time.Now().Add(time.Hour)}
	tests := []struct {
		name     string
		replies  []reply // to the change, and to the request for the properties of the container
		want     storage.Code
		wantHint string // is part of it
	}{
		{
			name:    "object missing",
			replies: []reply{errorReply(404, "BlobNotFound")},
			want:    storage.ObjectNotFound,
		},
		{
			name:    "container missing",
			replies: []reply{errorReply(404, "ContainerNotFound")},
			want:    storage.BucketNotFound,
		},
		{
			name:     "container without locks, unknown code",
			replies:  []reply{errorReply(409, "SomethingNew"), plainContainer},
			want:     storage.Unsupported,
			wantHint: "version-level immutability",
		},
		{
			name:     "container without locks, invalid header",
			replies:  []reply{errorReply(400, "InvalidHeaderValue"), plainContainer},
			want:     storage.Unsupported,
			wantHint: "version-level immutability",
		},
		{
			name:     "emulator without locks",
			replies:  []reply{errorReply(501, "APINotImplemented"), changedLocks},
			want:     storage.Unsupported,
			wantHint: "version-level immutability",
		},
		{
			name:    "container with locks, invalid header",
			replies: []reply{errorReply(400, "InvalidHeaderValue"), lockingContainer},
			want:    storage.InvalidArgument,
		},
		{
			name:    "Compliance policy",
			replies: []reply{errorReply(409, "ImmutabilityPolicyDeleteOnLockedPolicy")},
			want:    storage.Locked,
		},
		{
			name:     "role without permission",
			replies:  []reply{errorReply(403, "AuthorizationPermissionMismatch")},
			want:     storage.PermissionDenied,
			wantHint: "Data Owner",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name+", retention", func(t *testing.T) {
			// The first request reads the current policy of the object.
			server := newCannedServer(t, append([]reply{objectReply("hello")}, tt.replies...)...)
			err := server.openDriver(t).SetRetention(t.Context(), &driver.ChangeRequest{
				Key:       "a",
				Retention: retention,
			})
			requireCodeAndHint(t, err, tt.want, tt.wantHint)
			require.Len(t, server.Requests(), 1+len(tt.replies))
		})

		t.Run(tt.name+", hold", func(t *testing.T) {
			server := newCannedServer(t, tt.replies...)
			err := server.openDriver(t).SetLegalHold(t.Context(), &driver.ChangeRequest{Key: "a", LegalHold: true})
			requireCodeAndHint(t, err, tt.want, tt.wantHint)
			require.Len(t, server.Requests(), len(tt.replies))
		})
	}
}

// requireCodeAndHint requires that err is a *storage.Error with this Code, and that its hint contains the text.
func requireCodeAndHint(t *testing.T, err error, code storage.Code, hint string) {
	t.Helper()
	var e *storage.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, code, e.Code)
	require.Contains(t, e.Hint, hint)
}

// SetRetention of a missing object fails after the first request, which reads the policy.
func TestSetRetentionMissing(t *testing.T) {
	server := newCannedServer(t, errorReply(404, "BlobNotFound"))
	req := &driver.ChangeRequest{
		Key:       "a",
		Retention: storage.Retention{Mode: storage.Governance, Until: time.Now().Add(time.Hour)},
	}

	err := server.openDriver(t).SetRetention(t.Context(), req)
	require.ErrorIs(t, err, storage.ObjectNotFound)
	require.Len(t, server.Requests(), 1)
}

// SetLegalHold is Unsupported with WithOptions, which has no function for it.
func TestSetLegalHoldWithOptions(t *testing.T) {
	bucket := engine.New(newCannedServer(t).openDriver(t))
	err := storage.SetLegalHold(t.Context(), bucket, "a", true, WithOptions(leaseOptions))
	require.ErrorIs(t, err, storage.Unsupported)
}

// Delete of a locked version fails with Locked. With WithGovernanceBypass, it first removes a policy of the mode
// Governance, which Azure calls unlocked.
func TestDeleteLockedVersion(t *testing.T) {
	retainUntil := time.Now().Add(time.Hour)
	past := time.Now().Add(-time.Hour)
	accepted := reply{Status: http.StatusAccepted}
	const (
		version = "/photos/a?versionid=V"
		policy  = "/photos/a?comp=immutabilityPolicies&versionid=V"
	)
	retained := errorReply(409, codeImmutable)
	held := errorReply(409, "BlobImmutableDueToLegalHold")
	// This response to a removal does not tell whether the version is locked.
	isCurrent := errorReply(403, codeCurrentVersion)

	tests := []struct {
		name      string
		replies   []reply
		bypass    bool
		want      storage.Code
		wantLines []string // of the requests, with V for the version
	}{
		{
			name:      "Governance",
			replies:   []reply{retained},
			want:      storage.Locked,
			wantLines: []string{"DELETE " + version},
		},
		{
			name:      "legal hold",
			replies:   []reply{held},
			want:      storage.Locked,
			wantLines: []string{"DELETE " + version},
		},
		{
			name:      "legal hold, with a bypass",
			replies:   []reply{held},
			bypass:    true,
			want:      storage.Locked,
			wantLines: []string{"DELETE " + version},
		},
		{
			name:      "Governance, with a bypass",
			replies:   []reply{retained, policyReply("unlocked", retainUntil), changedLocks, accepted},
			bypass:    true,
			wantLines: []string{"DELETE " + version, "HEAD " + version, "DELETE " + policy, "DELETE " + version},
		},
		{
			name:      "Compliance, with a bypass",
			replies:   []reply{retained, policyReply("locked", retainUntil)},
			bypass:    true,
			want:      storage.Locked,
			wantLines: []string{"DELETE " + version, "HEAD " + version},
		},
		{
			name:      "Governance and a legal hold, with a bypass",
			replies:   []reply{retained, policyReply("unlocked", retainUntil, "X-Ms-Legal-Hold", "true")},
			bypass:    true,
			want:      storage.Locked,
			wantLines: []string{"DELETE " + version, "HEAD " + version},
		},
		{
			name: "Governance that becomes Compliance meanwhile, with a bypass",
			replies: []reply{
				retained, policyReply("unlocked", retainUntil),
				errorReply(409, "ImmutabilityPolicyDeleteOnLockedPolicy"),
			},
			bypass:    true,
			want:      storage.Locked,
			wantLines: []string{"DELETE " + version, "HEAD " + version, "DELETE " + policy},
		},
		{
			name:      "current version, Governance",
			replies:   []reply{isCurrent, policyReply("unlocked", retainUntil)},
			want:      storage.Locked,
			wantLines: []string{"DELETE " + version, "HEAD " + version},
		},
		{
			name:      "current version, legal hold, with a bypass",
			replies:   []reply{isCurrent, objectReply("x", "X-Ms-Legal-Hold", "true")},
			bypass:    true,
			want:      storage.Locked,
			wantLines: []string{"DELETE " + version, "HEAD " + version},
		},
		{
			name:      "current version, Compliance, with a bypass",
			replies:   []reply{isCurrent, policyReply("locked", retainUntil)},
			bypass:    true,
			want:      storage.Locked,
			wantLines: []string{"DELETE " + version, "HEAD " + version},
		},
		{
			name:    "current version, Governance, with a bypass",
			replies: []reply{isCurrent, policyReply("unlocked", retainUntil), changedLocks, accepted},
			bypass:  true,
			wantLines: []string{
				"DELETE " + version, "HEAD " + version, "DELETE " + policy, "DELETE /photos/a", "DELETE " + version,
			},
		},
		{
			name:      "current version, retention expired",
			replies:   []reply{isCurrent, policyReply("locked", past), accepted},
			wantLines: []string{"DELETE " + version, "HEAD " + version, "DELETE /photos/a", "DELETE " + version},
		},
		{
			name:      "version removed meanwhile, with a bypass",
			replies:   []reply{retained, errorReply(404, "BlobNotFound")},
			bypass:    true,
			wantLines: []string{"DELETE " + version, "HEAD " + version},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			server := newCannedServer(t, tt.replies...)
			err := server.openDriver(t).Delete(t.Context(), &driver.DeleteRequest{
				Key:              "a",
				Version:          versionAt(1),
				BypassGovernance: tt.bypass,
			})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			var got []string
			for _, line := range server.Lines() {
				got = append(got, strings.ReplaceAll(line, "2026-11-20T12%3A00%3A01.0000000Z", "V"))
			}
			require.Equal(t, tt.wantLines, got)
		})
	}
}

// A policy of the whole container keeps the current object, and cannot be bypassed.
func TestDeleteLockedByContainer(t *testing.T) {
	server := newCannedServer(t, errorReply(409, codeImmutable))

	err := server.openDriver(t).Delete(t.Context(), &driver.DeleteRequest{Key: "a", BypassGovernance: true})
	require.ErrorIs(t, err, storage.Locked)
	require.Len(t, server.Requests(), 1)
}

// The driver declares ObjectLock unless the account has a hierarchical namespace or the service is
// too old.
func TestLocksNeedAServiceThatHasThem(t *testing.T) {
	tests := []struct {
		name   string
		config Config
		want   bool
	}{
		{name: "the default", config: Config{}, want: true},
		{name: "the oldest service with locks", config: Config{APIVersion: lockVersion}, want: true},
		{name: "an older service", config: Config{APIVersion: "2019-12-12"}},
		{name: "a hierarchical namespace", config: Config{HierarchicalNamespace: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := newCannedServer(t).openDriver(t, func(c *Config) {
				c.APIVersion = tt.config.APIVersion
				c.HierarchicalNamespace = tt.config.HierarchicalNamespace
			})
			require.Equal(t, tt.want, d.Describe().Features&storage.ObjectLock != 0)
		})
	}
}

// Signed uploads with tags or locks are Unsupported, because a signature that covers no headers
// cannot enforce them.
func TestSignedUploadURLTagsAndLocks(t *testing.T) {
	bucket := engine.New(newSigner(t, Config{}))
	tests := []struct {
		name   string
		option storage.SignedUploadOption
	}{
		{name: "tags", option: storage.WithTags(map[string]string{"k": "v"})},
		{name: "retention", option: storage.WithRetention(time.Now().Add(time.Hour), storage.Governance)},
		{name: "hold", option: storage.WithLegalHold()},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := bucket.SignedUploadURL(t.Context(), "a", tt.option)
			var e *storage.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, storage.Unsupported, e.Code)
			require.Contains(t, e.Hint, "after the upload")
		})
	}
}
