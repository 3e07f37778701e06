package s3

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/testing/wiretest"
)

var (
	lockedUntil = time.Date(2036, 1, 2, 3, 4, 5, 0, time.UTC)
	bothLocks   = storage.Controls{Retention: storage.Retention{Mode: storage.Compliance, Until: lockedUntil}, LegalHold: true}
)

// Retention and legal hold are sent as headers of each write.
func TestLockHeaders(t *testing.T) {
	for name, row := range map[string]struct {
		reply reply
		call  func(ctx context.Context, d *objectDriver) error
	}{
		"a put": {stored, func(ctx context.Context, d *objectDriver) error {
			r := wiretest.Put("k", "hello")
			r.Controls = bothLocks
			_, err := d.Put(ctx, r)
			return err
		}},
		"an upload in parts": {reply{Body: "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"}, func(ctx context.Context, d *objectDriver) error {
			r := wiretest.Put("k", "hello")
			r.Controls = bothLocks
			_, err := d.BeginParts(ctx, r)
			return err
		}},
		"a copy": {reply{Body: copied}, func(ctx context.Context, d *objectDriver) error {
			_, err := d.Copy(ctx, copyOf(func(r *driver.CopyRequest) {
				r.Controls = bothLocks
			}))
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStandIn(t, row.reply)
			require.NoError(t, row.call(t.Context(), w.on(t, "aws")))
			header := w.server.Last(t).Header
			require.Equal(t, "COMPLIANCE", header.Get("X-Amz-Object-Lock-Mode"))
			require.Equal(t, "2036-01-02T03:04:05Z", header.Get("X-Amz-Object-Lock-Retain-Until-Date"))
			require.Equal(t, "ON", header.Get("X-Amz-Object-Lock-Legal-Hold"))
			require.Contains(t, header.Get("Authorization"), "x-amz-object-lock-mode")
		})
	}
}

// Head and Get return the retention and the legal hold.
func TestLockOfRead(t *testing.T) {
	t.Run("of a lock", func(t *testing.T) {
		w := newStandIn(t, reply{Header: map[string]string{
			"ETag":                                etag,
			"X-Amz-Object-Lock-Mode":              "GOVERNANCE",
			"X-Amz-Object-Lock-Retain-Until-Date": "2036-01-02T03:04:05.678Z",
			"X-Amz-Object-Lock-Legal-Hold":        "ON",
		}})
		d := w.on(t, "aws")
		attrs, err := d.Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.NoError(t, err)
		want := storage.Retention{Mode: storage.Governance, Until: lockedUntil}
		require.Equal(t, want, attrs.Retention)
		require.True(t, attrs.LegalHold)
		attrs, body, err := d.Get(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, want, attrs.Retention)
		require.True(t, attrs.LegalHold)
	})
	w := newStandIn(t, reply{Header: map[string]string{"ETag": etag, "X-Amz-Object-Lock-Legal-Hold": "OFF"}})
	attrs, err := w.on(t, "aws").Head(t.Context(), &driver.GetRequest{Key: "k", Length: -1})
	require.NoError(t, err)
	require.False(t, attrs.LegalHold)
	require.Zero(t, attrs.Retention)
}

func TestLockCalls(t *testing.T) {
	const retention, hold = "PUT /photos/k?retention=&versionId=v", "PUT /photos/k?legal-hold=&versionId=v"
	change := driver.ChangeRequest{Key: "k", Version: "v"}
	for name, row := range map[string]struct {
		call   func(d *objectDriver, r driver.ChangeRequest) error
		line   string
		body   string
		bypass string
	}{
		"a retention": {func(d *objectDriver, r driver.ChangeRequest) error {
			r.Retention = bothLocks.Retention
			return d.SetRetention(t.Context(), &r)
		}, retention, "<Mode>COMPLIANCE</Mode><RetainUntilDate>2036-01-02T03:04:05Z</RetainUntilDate></Retention>", ""},
		"none, with a bypass": {func(d *objectDriver, r driver.ChangeRequest) error {
			r.BypassGovernance = true
			return d.SetRetention(t.Context(), &r)
		}, retention, "></Retention>", "true"},
		"a hold": {func(d *objectDriver, r driver.ChangeRequest) error {
			r.LegalHold = true
			return d.SetLegalHold(t.Context(), &r)
		}, hold, "<Status>ON</Status>", ""},
		"no hold": {func(d *objectDriver, r driver.ChangeRequest) error { return d.SetLegalHold(t.Context(), &r) }, hold, "<Status>OFF</Status>", ""},
	} {
		for profile, sum := range map[string]string{"aws": "X-Amz-Checksum-Crc32", "minio": "Content-Md5"} {
			t.Run(name+" on "+profile, func(t *testing.T) {
				w := newStandIn(t)
				require.NoError(t, row.call(w.on(t, profile), change))
				require.Equal(t, []string{row.line}, w.server.Lines())
				req := w.server.Last(t)
				require.Contains(t, string(req.Body), row.body)
				require.NotEmpty(t, req.Header.Get(sum))
				require.Equal(t, row.bypass, req.Header.Get("X-Amz-Bypass-Governance-Retention"))
			})
		}
	}
}

// WithGovernanceBypass is a header of DELETE, so DeleteBatch deletes such a version with a request of its own.
func TestDeleteBypassGovernance(t *testing.T) {
	w := newStandIn(t, reply{Status: 204})
	d := w.on(t, "aws")
	require.NoError(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: "v", BypassGovernance: true}))
	require.Equal(t, "true", w.server.Last(t).Header.Get("X-Amz-Bypass-Governance-Retention"))
	errs := d.DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "a", Version: "v", BypassGovernance: true}})
	require.Equal(t, []error{nil}, errs)
	require.Equal(t, "DELETE /photos/a?versionId=v&x-id=DeleteObject", w.server.Lines()[1])
}

// Each server's error about a lock has its code.
func TestLockErrors(t *testing.T) {
	for name, row := range map[string]struct {
		reply reply
		want  storage.Code
	}{
		"Amazon, versitygw":              {failing(403, "AccessDenied", "Access Denied because object protected by object lock."), storage.Locked},
		"Ceph":                           {failing(403, "AccessDenied", "forbidden by object lock"), storage.Locked},
		"MinIO":                          {failing(400, "InvalidRequest", "Object is WORM protected and cannot be overwritten"), storage.Locked},
		"no permission":                  {failing(403, "AccessDenied", "Access Denied"), storage.PermissionDenied},
		"a bucket that cannot lock":      {failing(400, "InvalidRequest", "Bucket is missing Object Lock Configuration"), storage.Unsupported},
		"the same, in one word":          {failing(400, "InvalidRequest", "Bucket is missing ObjectLockConfiguration"), storage.Unsupported},
		"versions of a bucket with lock": {failing(409, "InvalidBucketState", "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed."), storage.Unsupported},
		"another bad request":            {failing(400, "InvalidRequest", "no"), storage.InvalidArgument},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStandIn(t, row.reply)
			d := w.on(t, "aws")
			err := d.SetRetention(t.Context(), &driver.ChangeRequest{Key: "k"})
			require.ErrorIs(t, err, row.want)
			e := asError(err)
			require.False(t, e.Unknown)
			if row.want == storage.Unsupported {
				require.NotEmpty(t, e.Hint)
			}
			r := wiretest.Put("k", "x")
			r.Controls = bothLocks
			_, err = d.Put(t.Context(), r)
			require.ErrorIs(t, err, row.want)
			require.ErrorIs(t, d.Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: "v"}), row.want)
		})
	}
	t.Run("in a batch", func(t *testing.T) {
		w := newStandIn(t, reply{Body: `<DeleteResult><Error><Key>k</Key><VersionId>v</VersionId><Code>InvalidRequest</Code><Message>Object is WORM protected and cannot be overwritten</Message></Error></DeleteResult>`})
		errs := w.on(t, "minio").DeleteBatch(t.Context(), []driver.DeleteRequest{{Key: "k", Version: "v"}})
		require.ErrorIs(t, errs[0], storage.Locked)
	})
}

// Some servers refuse to delete a locked version with AccessDenied. Delete then reads the version, and fails with
// Locked if a lock is the reason.
func TestDeleteLockedVersionDenied(t *testing.T) {
	denied := failing(403, "AccessDenied", "Access Denied")
	retained := map[string]string{"ETag": etag, "X-Amz-Object-Lock-Mode": "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date": "2999-01-02T03:04:05Z"}
	version := driver.DeleteRequest{Key: "k", Version: "v"}
	bypass := version
	bypass.BypassGovernance = true
	for name, row := range map[string]struct {
		profile string
		request driver.DeleteRequest
		head    reply
		want    storage.Code
		lines   int
	}{
		"a retention":              {"b2", version, reply{Header: retained}, storage.Locked, 2},
		"a retention, bypassed":    {"b2", bypass, reply{Header: retained}, storage.PermissionDenied, 2},
		"a retention that is over": {"b2", version, reply{Header: map[string]string{"ETag": etag, "X-Amz-Object-Lock-Mode": "GOVERNANCE", "X-Amz-Object-Lock-Retain-Until-Date": "2020-01-02T03:04:05Z"}}, storage.PermissionDenied, 2},
		"a legal hold":             {"b2", bypass, reply{Header: map[string]string{"ETag": etag, "X-Amz-Object-Lock-Legal-Hold": "ON"}}, storage.Locked, 2},
		"no lock":                  {"b2", version, reply{Header: map[string]string{"ETag": etag}}, storage.PermissionDenied, 2},
		"no permission to read":    {"b2", version, reply{Status: 403}, storage.PermissionDenied, 2},
		"without a version":        {"b2", driver.DeleteRequest{Key: "k"}, reply{}, storage.PermissionDenied, 1},
		"a server without locks":   {"garage", version, reply{}, storage.PermissionDenied, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStandIn(t, denied, row.head)
			err := w.on(t, row.profile).Delete(t.Context(), &row.request)
			require.Equal(t, row.want, storage.CodeOf(err), "%v", err)
			require.Len(t, w.server.Lines(), row.lines)
		})
	}
}

// If the denied version is encrypted with a customer's key, a HEAD fails. Delete then reads its legal hold and
// retention, which need no key.
func TestDeleteLockedVersionWithCustomerKey(t *testing.T) {
	denied := failing(403, "AccessDenied", "Access Denied")
	withoutKey := reply{Status: 400}
	none := failing(404, "NoSuchObjectLockConfiguration", "")
	held := reply{Body: "<LegalHold><Status>ON</Status></LegalHold>"}
	retained := func(year string) reply {
		return reply{Body: "<Retention><Mode>GOVERNANCE</Mode><RetainUntilDate>" + year + "-01-02T03:04:05Z</RetainUntilDate></Retention>"}
	}
	for name, row := range map[string]struct {
		hold, retention reply
		bypass          bool
		want            storage.Code
	}{
		"a legal hold":             {held, none, true, storage.Locked},
		"a retention":              {none, retained("2999"), false, storage.Locked},
		"a retention, bypassed":    {none, retained("2999"), true, storage.PermissionDenied},
		"a retention that is over": {none, retained("2020"), false, storage.PermissionDenied},
		"no lock":                  {none, none, false, storage.PermissionDenied},
		"locks may not be read":    {denied, denied, false, storage.PermissionDenied},
	} {
		t.Run(name, func(t *testing.T) {
			w := newStandIn(t, denied, withoutKey, row.hold, row.retention)
			err := w.on(t, "b2").Delete(t.Context(), &driver.DeleteRequest{Key: "k", Version: "v", BypassGovernance: row.bypass})
			require.Equal(t, row.want, storage.CodeOf(err), "%v", err)
			require.Equal(t, []string{"DELETE /photos/k?versionId=v&x-id=DeleteObject", "HEAD /photos/k?versionId=v", "GET /photos/k?legal-hold=&versionId=v", "GET /photos/k?retention=&versionId=v"}, w.server.Lines())
		})
	}
}

// A signed upload has the locks.
func TestSignedUploadURLLocks(t *testing.T) {
	d := opened(t, Config{AccessKeyID: "AKID", SecretKey: "s", Region: "eu-west-1"})
	sign := func(change func(*driver.SignRequest)) (*storage.SignedURL, error) {
		return d.urls.sign(t.Context(), wiretest.SignedUpload(func(r *driver.SignRequest) {
			r.Controls = bothLocks
			change(r)
		}), now)
	}
	signedURL, err := sign(func(r *driver.SignRequest) {
		r.CRC32C = storage.CRC32C{Sum: 1, Known: true}
	})
	require.NoError(t, err)
	require.Equal(t, "COMPLIANCE", signedURL.Header.Get("X-Amz-Object-Lock-Mode"))
	require.Equal(t, "2036-01-02T03:04:05Z", signedURL.Header.Get("X-Amz-Object-Lock-Retain-Until-Date"))
	require.Equal(t, "ON", signedURL.Header.Get("X-Amz-Object-Lock-Legal-Hold"))
	require.Contains(t, signedURL.URL, "x-amz-object-lock-legal-hold%3Bx-amz-object-lock-mode%3Bx-amz-object-lock-retain-until-date")
	_, err = sign(func(*driver.SignRequest) {})
	require.ErrorIs(t, err, storage.Unsupported)
	require.Contains(t, asError(err).Hint, "WithCRC32C")
	_, err = d.urls.signForm(t.Context(), formRequest(func(r *driver.SignRequest) {
		r.LegalHold = true
	}), now)
	require.ErrorIs(t, err, storage.Unsupported)
	require.Contains(t, asError(err).Hint, "SignedUploadURL")
}

// Each profile with object lock sends a checksum or an MD5, because S3 refuses locked objects without one.
func TestProfileLocksWithChecksum(t *testing.T) {
	for _, p := range profiles {
		if p.ObjectLock != LockNone {
			require.True(t, p.Checksum != ChecksumNone || p.ContentMD5, p.Name)
			require.True(t, p.Versioning, p.Name)
		}
	}
}
