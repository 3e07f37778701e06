// Package memstore keeps buckets in memory: for tests, which need nothing else
// to be installed or cleaned up, and for programs that want an object store
// without one. It has every feature of package storage, and holds to the same
// rules as the cloud drivers. Signed and public addresses need somebody who
// answers them: the handler of package serve, where storage.WithSigningBaseURL
// says.
//
// A test takes a fresh bucket:
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
// Importing it registers the scheme of its addresses: mem://name is one bucket
// for a process and name, made when it is first opened; mem:// is the account
// that holds those buckets, for storage.OpenService.
package memstore

import (
	"time"

	"github.com/omnibucket/storage"
)

// Config says how a bucket of its own shall be. The zero value is a bucket
// named "memory" that keeps no versions.
type Config struct {
	Bucket    string           // the name; "" is "memory"
	Versioned bool             // keep what is overwritten or removed
	Now       func() time.Time // the clock of Attrs.Modified, of signed addresses and of how old uploads in parts are; nil is time.Now
	// SigningKeys sign addresses and forms. Nil: a key that is drawn at random, and
	// that no other bucket has.
	SigningKeys SigningKeys
	// CORS are the rules by which the handler of package serve lets pages of other
	// origins in, as storage.WithCORS sets them for a bucket of a Service.
	CORS []storage.CORSRule
}

// New returns a fresh, empty bucket that nothing else reaches. It needs no
// Close: the garbage collector takes it. For CORS rules, versions or a clock use
// storage.New with [NewDriver].
func New(opts ...storage.OpenOption) storage.Bucket {
	return storage.New(NewDriver(Config{}), opts...)
}

// NewDriver returns a driver with a fresh, empty bucket in an account of its
// own, for storage.New.
func NewDriver(c Config) storage.Driver {
	if c.Bucket == "" {
		c.Bucket = "memory"
	}
	a := newAccount(ServiceConfig{Now: c.Now, SigningKeys: c.SigningKeys})
	info := &a.findOrCreate(c.Bucket).info
	info.Versioning, info.CORS = c.Versioned, copiedCORS(c.CORS)
	return &driver{account: a, bucket: c.Bucket}
}

// ServiceConfig says how an account shall be.
type ServiceConfig struct {
	Now func() time.Time // the clock of Attrs.Modified, BucketInfo.Created, signed addresses and how old uploads in parts are; nil is time.Now
	// SigningKeys sign addresses and forms. Nil: a key that is drawn at random, and
	// that no other account has.
	SigningKeys SigningKeys
}

// NewService returns a fresh account without buckets.
func NewService(c ServiceConfig, opts ...storage.OpenOption) *storage.Service {
	return storage.NewService(NewServiceDriver(c), opts...)
}

// NewServiceDriver returns the driver of a fresh account without buckets, for
// storage.NewService.
func NewServiceDriver(c ServiceConfig) storage.ServiceDriver {
	return &serviceDriver{account: newAccount(c)}
}
