// Package memstore keeps buckets in memory. Use it for tests, which then need no server
// and no cleanup, and for programs that want an object store without a server. It has
// every feature of package storage and follows the same rules as the cloud drivers.
// Signed and public URLs need the handler of package serve, at the base URL that
// [storage.WithSigningBaseURL] sets.
//
// A test uses a new bucket:
//
//	func TestReport(t *testing.T) {
//		bucket := memstore.New()
//		if err := WriteReport(t.Context(), bucket); err != nil {
//			t.Fatal(err)
//		}
//		report, _, err := storage.ReadAll(t.Context(), bucket, "reports/1.txt")
//		if err != nil || string(report) != "all is well" {
//			t.Errorf("report is %q, %v", report, err)
//		}
//	}
//
// Importing the package registers the scheme of its addresses. The address mem://name
// opens the bucket of that name in this process, and creates it if it does not exist.
// The address mem:// opens the account of these buckets, with [storage.OpenService].
package memstore

import (
	"cmp"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
)

// Config configures a bucket that has an account of its own. The zero value is a bucket named
// "memory" that keeps no versions.
type Config struct {
	// Bucket is the name of the bucket. If it is "", the name is "memory".
	Bucket string
	// Versioned makes the bucket keep noncurrent versions of overwritten and removed objects.
	Versioned bool
	// Now is the clock of [storage.Attrs].Modified, of signed URLs and of the age of
	// multipart uploads. If it is nil, it is [time.Now].
	Now func() time.Time
	// SigningKeys sign URLs and forms. If it is nil, the bucket has a random key of its own.
	SigningKeys SigningKeys
	// ArchiveClasses are the storage classes whose objects must be restored before they can be
	// read. Until [storage.Restore] of an object has finished, reading or copying the object fails
	// with Archived. If ArchiveClasses is nil, no object is archived.
	ArchiveClasses []string
	// RestoreTime is how long Restore takes, by the clock Now.
	RestoreTime time.Duration
	// AnyOrder makes List behave like that of S3's directory buckets. Keys come in no order, so a
	// listing needs [storage.WithAnyOrder], and "/" is the only delimiter. A page costs as much as
	// the whole listing.
	AnyOrder bool
	// CORS are the rules by which the handler of package serve allows web pages of other origins.
	// For a bucket of a Service, [storage.WithCORS] sets them.
	CORS []storage.CORSRule
}

// New returns a new, empty bucket that no other code can reach. It need not be closed: the garbage
// collector frees it. For CORS rules, versions or a clock, use [engine.New] with [NewDriver].
func New(opts ...storage.OpenOption) storage.Bucket {
	return engine.New(NewDriver(Config{}), opts...)
}

// NewDriver returns a driver for [engine.New]. It has a new, empty bucket in an account of its own.
func NewDriver(c Config) driver.Driver {
	c.Bucket = cmp.Or(c.Bucket, "memory")
	a := newAccount(ServiceConfig{
		Now:            c.Now,
		SigningKeys:    c.SigningKeys,
		ArchiveClasses: c.ArchiveClasses,
		RestoreTime:    c.RestoreTime,
	})

	// No other code has the bucket yet, so its settings can be set without a lock.
	info := &a.findOrCreate(c.Bucket).info
	info.Versioning = c.Versioned
	info.CORS = cloneCORS(c.CORS)
	return &objectDriver{account: a, bucket: c.Bucket, anyOrder: c.AnyOrder}
}

// ServiceConfig configures an account.
type ServiceConfig struct {
	// Now returns the current time. The time is used for [storage.Attrs].Modified and
	// [storage.BucketInfo].Created. It also determines when signed URLs expire, and how old
	// multipart uploads are. If Now is nil, [time.Now] is called.
	Now func() time.Time
	// SigningKeys sign URLs and forms. If it is nil, the account has a random key of its own.
	SigningKeys SigningKeys
	// ArchiveClasses and RestoreTime are like the fields of [Config]. They apply to all buckets of
	// the account.
	ArchiveClasses []string
	RestoreTime    time.Duration
}

// NewService returns a new account without buckets.
func NewService(c ServiceConfig, opts ...storage.OpenOption) storage.Service {
	return engine.NewService(NewServiceDriver(c), opts...)
}

// NewServiceDriver returns a driver for [engine.NewService]. It has a new account without buckets.
func NewServiceDriver(c ServiceConfig) driver.ServiceDriver {
	return &serviceDriver{account: newAccount(c)}
}
