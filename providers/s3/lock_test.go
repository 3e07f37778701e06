package s3

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

var (
	lockedUntil = time.Date(2036, 1, 2, 3, 4, 5, 0, time.UTC)
	bothLocks   = storage.Controls{
		Retention: storage.Retention{Mode: storage.Compliance, Until: lockedUntil},
		LegalHold: true,
	}
)

// An objectWrite is a call that begins to write an object with one kind of request.
type objectWrite struct {
	name  string
	reply reply
	do    func(ctx context.Context, d *objectDriver) error
}

// writesWith returns a call for each kind of request that begins to write an object. The calls have
// the given tags and locks.
func writesWith(controls storage.Controls) []objectWrite {
	put := func(ctx context.Context, d *objectDriver) error {
		r := wiretest.Put("k", "hello")
		r.Controls = controls
		_, err := d.Put(ctx, r)
		return err
	}
	beginParts := func(ctx context.Context, d *objectDriver) error {
		r := wiretest.Put("k", "hello")
		r.Controls = controls
		_, err := d.BeginParts(ctx, r)
		return err
	}
	copyObject := func(ctx context.Context, d *objectDriver) error {
		_, err := d.Copy(ctx, copyOf(func(r *driver.CopyRequest) {
			r.Controls = controls
			r.ReplaceTags = controls.Tags != nil
		}))
		return err
	}
	return []objectWrite{
		{name: "a put", reply: stored, do: put},
		{name: "an upload in parts", reply: reply{Body: begun}, do: beginParts},
		{name: "a copy", reply: reply{Body: copied}, do: copyObject},
	}
}

// Each request that writes an object has the retention and the legal hold of the object in signed
// headers.
func TestLockHeaders(t *testing.T) {
	for _, write := range writesWith(bothLocks) {
		t.Run(write.name, func(t *testing.T) {
			server := newStandIn(t, write.reply)
			require.NoError(t, write.do(t.Context(), server.openDriver(t, "aws")))

			header := server.Last(t).Header
			require.Equal(t, "COMPLIANCE", header.Get("X-Amz-Object-Lock-Mode"))
			require.Equal(t, "2036-01-02T03:04:05Z", header.Get("X-Amz-Object-Lock-Retain-Until-Date"))
			require.Equal(t, "ON", header.Get("X-Amz-Object-Lock-Legal-Hold"))
			require.Contains(t, header.Get("Authorization"), "x-amz-object-lock-mode")
		})
	}
}

// Head and Get return the retention and the legal hold of an object.
func TestLockOfRead(t *testing.T) {
	t.Run("a locked object", func(t *testing.T) {
		server := newStandIn(t, reply{Header: map[string]string{
			"ETag":                                etag,
			"X-Amz-Object-Lock-Mode":              "GOVERNANCE",
			"X-Amz-Object-Lock-Retain-Until-Date": "2036-01-02T03:04:05.678Z",
			"X-Amz-Object-Lock-Legal-Hold":        "ON",
		}})
		d := server.openDriver(t, "aws")
		want := storage.Retention{Mode: storage.Governance, Until: lockedUntil}

		attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.NoError(t, err)
		require.Equal(t, want, attrs.Retention)
		require.True(t, attrs.LegalHold)

		attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, want, attrs.Retention)
		require.True(t, attrs.LegalHold)
	})

	t.Run("an object whose hold has ended", func(t *testing.T) {
		server := newStandIn(t, reply{
			Header: map[string]string{"ETag": etag, "X-Amz-Object-Lock-Legal-Hold": "OFF"},
		})
		d := server.openDriver(t, "aws")

		attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.NoError(t, err)
		require.False(t, attrs.LegalHold)
		require.Zero(t, attrs.Retention)
	})
}

// SetRetention and SetLegalHold send one request with the version, the new lock and a checksum that
// the server supports.
func TestLockCalls(t *testing.T) {
	const (
		putRetention = "PUT /photos/k?retention=&versionId=v"
		putHold      = "PUT /photos/k?legal-hold=&versionId=v"
	)
	change := driver.ChangeRequest{Key: "k", Version: "v"}
	tests := map[string]struct {
		call        func(d *objectDriver, r driver.ChangeRequest) error
		wantRequest string
		wantBody    string // a part of the body
		wantBypass  string // the header for a bypass
	}{
		"a retention": {
			call: func(d *objectDriver, r driver.ChangeRequest) error {
				r.Retention = bothLocks.Retention
				return d.SetRetention(t.Context(), &r)
			},
			wantRequest: putRetention,
			wantBody:    "<Mode>COMPLIANCE</Mode><RetainUntilDate>2036-01-02T03:04:05Z</RetainUntilDate></Retention>",
		},
		"no retention, with a bypass": {
			call: func(d *objectDriver, r driver.ChangeRequest) error {
				r.BypassGovernance = true
				return d.SetRetention(t.Context(), &r)
			},
			wantRequest: putRetention,
			wantBody:    "></Retention>",
			wantBypass:  "true",
		},
		"a hold": {
			call: func(d *objectDriver, r driver.ChangeRequest) error {
				r.LegalHold = true
				return d.SetLegalHold(t.Context(), &r)
			},
			wantRequest: putHold,
			wantBody:    "<Status>ON</Status>",
		},
		"no hold": {
			call: func(d *objectDriver, r driver.ChangeRequest) error {
				return d.SetLegalHold(t.Context(), &r)
			},
			wantRequest: putHold,
			wantBody:    "<Status>OFF</Status>",
		},
	}
	for name, tt := range tests {
		for profile, sum := range map[string]string{"aws": "X-Amz-Checksum-Crc32", "minio": "Content-Md5"} {
			t.Run(name+" on "+profile, func(t *testing.T) {
				server := newStandIn(t)
				err := tt.call(server.openDriver(t, profile), change)
				require.NoError(t, err)
				require.Equal(t, []string{tt.wantRequest}, server.Lines())

				req := server.Last(t)
				require.Contains(t, string(req.Body), tt.wantBody)
				require.NotEmpty(t, req.Header.Get(sum))
				require.Equal(t, tt.wantBypass, req.Header.Get("X-Amz-Bypass-Governance-Retention"))
			})
		}
	}
}

// Delete sends BypassGovernance as a header. DeleteBatch sends a single DELETE for a version with
// BypassGovernance, because the header of a batch would apply to all versions of the batch.
func TestDeleteBypassGovernance(t *testing.T) {
	server := newStandIn(t, reply{Status: 204})
	d := server.openDriver(t, "aws")

	// Delete a single version.
	err := d.Delete(t.Context(), &driver.DeleteRequest{
		Key:              "k",
		Version:          "v",
		BypassGovernance: true,
	})
	require.NoError(t, err)
	require.Equal(t, "true", server.Last(t).Header.Get("X-Amz-Bypass-Governance-Retention"))

	// Delete a batch of one version.
	errs := d.DeleteBatch(t.Context(), []driver.DeleteRequest{
		{Key: "a", Version: "v", BypassGovernance: true},
	})
	require.Equal(t, []error{nil}, errs)
	require.Equal(t, "DELETE /photos/a?versionId=v&x-id=DeleteObject", server.Lines()[1])
}

// If a lock refuses a change, a write or a removal, the error has the same code on all servers, although
// their responses differ.
func TestLockErrors(t *testing.T) {
	tests := map[string]struct {
		reply reply
		want  storage.Code
	}{
		"Amazon, versitygw": {
			reply: errorReply(403, "AccessDenied", "Access Denied because object protected by object lock."),
			want:  storage.Locked,
		},
		"Ceph": {
			reply: errorReply(403, "AccessDenied", "forbidden by object lock"),
			want:  storage.Locked,
		},
		"MinIO": {
			reply: errorReply(400, "InvalidRequest", "Object is WORM protected and cannot be overwritten"),
			want:  storage.Locked,
		},
		"no permission": {
			reply: errorReply(403, "AccessDenied", "Access Denied"),
			want:  storage.PermissionDenied,
		},
		"a bucket that cannot lock": {
			reply: errorReply(400, "InvalidRequest", "Bucket is missing Object Lock Configuration"),
			want:  storage.Unsupported,
		},
		"a bucket that cannot lock, in one word": {
			reply: errorReply(400, "InvalidRequest", "Bucket is missing ObjectLockConfiguration"),
			want:  storage.Unsupported,
		},
		"a bucket with object lock, whose versions cannot end": {
			reply: errorReply(409, "InvalidBucketState", "An Object Lock configuration is present on "+
				"this bucket, so the versioning state cannot be changed."),
			want: storage.Unsupported,
		},
		"another bad request": {
			reply: errorReply(400, "InvalidRequest", "no"),
			want:  storage.InvalidArgument,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, tt.reply)
			d := server.openDriver(t, "aws")

			err := d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "k"})
			require.ErrorIs(t, err, tt.want)
			e := s3error.Of(err)
			require.False(t, e.Unknown)
			if tt.want == storage.Unsupported {
				require.NotEmpty(t, e.Hint)
			}

			r := wiretest.Put("k", "x")
			r.Controls = bothLocks
			_, err = d.Put(t.Context(), r)
			require.ErrorIs(t, err, tt.want)
			require.ErrorIs(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: "v"}), tt.want)
		})
	}
	t.Run("in a batch", func(t *testing.T) {
		server := newStandIn(t, reply{
			Body: `<DeleteResult><Error><Key>k</Key><VersionId>v</VersionId><Code>InvalidRequest</Code>` +
				`<Message>Object is WORM protected and cannot be overwritten</Message></Error></DeleteResult>`,
		})
		d := server.openDriver(t, "minio")
		errs := d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "k", Version: "v"}})
		require.ErrorIs(t, errs[0], storage.Locked)
	})
}

// Some servers refuse to delete a locked version with AccessDenied. Delete then reads the version
// to find the reason, and fails with Locked if it is a lock.
func TestDeleteLockedVersionDenied(t *testing.T) {
	denied := errorReply(403, "AccessDenied", "Access Denied")
	retained := map[string]string{
		"ETag":                                etag,
		"X-Amz-Object-Lock-Mode":              "GOVERNANCE",
		"X-Amz-Object-Lock-Retain-Until-Date": "2999-01-02T03:04:05Z",
	}
	version := driver.DeleteRequest{Key: "k", Version: "v"}
	bypass := version
	bypass.BypassGovernance = true

	tests := map[string]struct {
		profile      string
		request      driver.DeleteRequest
		head         reply
		want         storage.Code
		wantRequests int // one DELETE, and a HEAD if a lock may be the reason
	}{
		"a retention": {
			profile:      "b2",
			request:      version,
			head:         reply{Header: retained},
			want:         storage.Locked,
			wantRequests: 2,
		},
		"a retention, bypassed": {
			profile:      "b2",
			request:      bypass,
			head:         reply{Header: retained},
			want:         storage.PermissionDenied,
			wantRequests: 2,
		},
		"a retention that is over": {
			profile: "b2",
			request: version,
			head: reply{
				Header: map[string]string{
					"ETag":                                etag,
					"X-Amz-Object-Lock-Mode":              "GOVERNANCE",
					"X-Amz-Object-Lock-Retain-Until-Date": "2020-01-02T03:04:05Z",
				},
			},
			want:         storage.PermissionDenied,
			wantRequests: 2,
		},
		"a legal hold": {
			profile:      "b2",
			request:      bypass,
			head:         reply{Header: map[string]string{"ETag": etag, "X-Amz-Object-Lock-Legal-Hold": "ON"}},
			want:         storage.Locked,
			wantRequests: 2,
		},
		"no lock": {
			profile:      "b2",
			request:      version,
			head:         reply{Header: map[string]string{"ETag": etag}},
			want:         storage.PermissionDenied,
			wantRequests: 2,
		},
		"a version that may not be read": {
			profile:      "b2",
			request:      version,
			head:         reply{Status: 403},
			want:         storage.PermissionDenied,
			wantRequests: 2,
		},
		"no version, so nothing that a lock protects": {
			profile:      "b2",
			request:      driver.DeleteRequest{Key: "k"},
			head:         reply{},
			want:         storage.PermissionDenied,
			wantRequests: 1,
		},
		"a server without locks": {
			profile:      "garage",
			request:      version,
			head:         reply{},
			want:         storage.PermissionDenied,
			wantRequests: 1,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, denied, tt.head)
			err := server.openDriver(t, tt.profile).Delete(t.Context(), &tt.request)
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)
			require.Len(t, server.Lines(), tt.wantRequests)
		})
	}
}

// A version may be encrypted with a customer's key. If the server refuses to delete it, Delete
// reads its legal hold and its retention. A HEAD would need the key.
func TestDeleteLockedVersionWithCustomerKey(t *testing.T) {
	denied := errorReply(403, "AccessDenied", "Access Denied")
	withoutKey := reply{Status: 400}
	noLock := errorReply(404, "NoSuchObjectLockConfiguration", "")
	onHold := reply{Body: "<LegalHold><Status>ON</Status></LegalHold>"}
	retained := func(year string) reply {
		return reply{Body: "<Retention><Mode>GOVERNANCE</Mode>" +
			"<RetainUntilDate>" + year + "-01-02T03:04:05Z</RetainUntilDate></Retention>"}
	}

	tests := map[string]struct {
		hold, retention reply // to the requests for the legal hold and the retention
		bypass          bool
		want            storage.Code
	}{
		"a legal hold": {hold: onHold, retention: noLock, bypass: true, want: storage.Locked},
		"a retention":  {hold: noLock, retention: retained("2999"), want: storage.Locked},
		"a retention, bypassed": {
			hold:      noLock,
			retention: retained("2999"),
			bypass:    true,
			want:      storage.PermissionDenied,
		},
		"a retention that is over": {hold: noLock, retention: retained("2020"), want: storage.PermissionDenied},
		"no lock":                  {hold: noLock, retention: noLock, want: storage.PermissionDenied},
		"locks may not be read":    {hold: denied, retention: denied, want: storage.PermissionDenied},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			server := newStandIn(t, denied, withoutKey, tt.hold, tt.retention)
			err := server.openDriver(t, "b2").Delete(t.Context(), &driver.DeleteRequest{
				Key:              "k",
				Version:          "v",
				BypassGovernance: tt.bypass,
			})
			require.Equal(t, tt.want, storage.CodeOf(err), "%v", err)

			// Without the key, the HEAD fails, so the driver requests the legal hold and the retention.
			require.Equal(t, []string{
				"DELETE /photos/k?versionId=v&x-id=DeleteObject",
				"HEAD /photos/k?versionId=v",
				"GET /photos/k?legal-hold=&versionId=v",
				"GET /photos/k?retention=&versionId=v",
			}, server.Lines())
		})
	}
}

// A signed upload has the locks in signed headers. It must also have a checksum, because S3 refuses
// a locked object without one.
func TestSignedUploadURLLocks(t *testing.T) {
	d := mustOpen(t, Config{AccessKeyID: "AKID", SecretKey: "s", Region: "eu-west-1"})
	sign := func(change func(*driver.SignRequest)) (*storage.SignedURL, error) {
		return d.urls.sign(t.Context(), wiretest.SignedUpload(func(r *driver.SignRequest) {
			r.Controls = bothLocks
			change(r)
		}), now)
	}

	// With a checksum, the locks are in signed headers.
	signedURL, err := sign(func(r *driver.SignRequest) {
		r.CRC32C = storage.CRC32C{Sum: 1, Known: true}
	})
	require.NoError(t, err)
	require.Equal(t, "COMPLIANCE", signedURL.Header.Get("X-Amz-Object-Lock-Mode"))
	require.Equal(t, "2036-01-02T03:04:05Z", signedURL.Header.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	require.Equal(t, "ON", signedURL.Header.Get("X-Amz-Object-Lock-Legal-Hold"))
	require.Contains(t, signedURL.URL,
		"x-amz-object-lock-legal-hold%3Bx-amz-object-lock-mode%3Bx-amz-object-lock-retain-until-date")

	// Without a checksum, nothing is signed.
	_, err = sign(func(*driver.SignRequest) {})
	require.ErrorIs(t, err, storage.Unsupported)
	require.Contains(t, s3error.Of(err).Hint, "WithCRC32C")
}

// A form cannot lock the object. The error names SignedUploadURL as the call that can.
func TestSignedUploadFormLocks(t *testing.T) {
	d := mustOpen(t, Config{AccessKeyID: "AKID", SecretKey: "s", Region: "eu-west-1"})
	req := formRequest(func(r *driver.SignRequest) {
		r.LegalHold = true
	})

	_, err := d.urls.signForm(t.Context(), req, now)
	require.ErrorIs(t, err, storage.Unsupported)
	require.Contains(t, s3error.Of(err).Hint, "SignedUploadURL")
}

// Each profile with object lock sends a checksum, because S3 refuses a locked object without one.
// It also keeps versions, because S3 can lock only versions.
func TestProfileLocksWithChecksum(t *testing.T) {
	for _, p := range profiles {
		if p.ObjectLock == LockNone {
			continue
		}
		t.Run(p.Name, func(t *testing.T) {
			require.True(t, p.Checksum != ChecksumNone || p.ContentMD5)
			require.True(t, p.Versioning)
		})
	}
}
