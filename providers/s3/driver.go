package s3

import (
	"cmp"
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3/internal/bucketname"
	"github.com/omnibucket/storage/providers/s3/internal/sdkcall"
)

var _ driver.Driver = (*objectDriver)(nil)

type objectDriver struct {
	driver.UnimplementedDriver
	account   *account
	bucket    *bucket
	copier    copier
	multipart multipart
	remover   remover
	urls      urlSigner
	// noChecksums is the last time at which the credentials had no permission to read a checksum.
	noChecksums atomic.Pointer[time.Time]
}

// newDriver returns the driver of a bucket, whose parts share the bucket and use one another.
func newDriver(a *account, name string) *objectDriver {
	b := &bucket{account: a, name: name}
	d := &objectDriver{account: a, bucket: b, multipart: multipart{bucket: b}, urls: urlSigner{account: a, bucket: b}}
	d.copier = copier{objects: d, account: a, bucket: b, multipart: &d.multipart}
	d.remover = remover{objects: d, bucket: b}
	return d
}

// directoryLacks has the features that directory buckets lack, or have in another form. For
// example, the key marker in their listings of uploads is not a key.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-express-differences.html
const directoryLacks = storage.OrderedListing | storage.Versioning | storage.ObjectLock | storage.ObjectTags | storage.ObjectACLs |
	storage.StorageClasses | storage.Restoring | storage.ListedUploads | storage.LeadingSlashes

// Describe returns what the bucket's server can do, by its profile.
func (d *objectDriver) Describe() driver.Description {
	p := &d.account.profile
	desc := driver.Description{
		Provider:      provider,
		Bucket:        d.bucket.name,
		Places:        func() []driver.Place { return placesOf(d.account, d.bucket.name) },
		Features:      p.features(),
		PublicBaseURL: d.bucket.publicURL(),
		ASCIIMetadata: true,
		SigningHint:   d.account.signingHint(),
		VendingHint:   d.account.vendingHint(),
		FeatureHint:   d.account.featureHint(),
		OrderHint:     "if the server lists like a directory tree, name its profile (profile=seaweedfs), or open it with the Profile that s3probe.Run returns; if it escapes no keys, another program's key may have a control character: list with a prefix",

		FolderOrder:        !p.OrderedListing,
		StartsAfter:        d.account.hasKnownOrder,
		SlashDelimiter:     p.SlashDelimiter,
		TokenAfterLast:     p.TokenAfterLast,
		CopiesTags:         true,
		CopiesWithoutAttrs: true,
		AttributesAtBegin:  true,

		MaxPutSize:  p.putLimit(),
		MinPartSize: minPartSize,
		MaxPartSize: p.putLimit(),
		MaxParts:    p.partsLimit(),
		MaxPage:     maxPage,

		ChecksumWhileSending:     d.bucket.hashesNothing(),
		PartChecksumWhileSending: d.bucket.sendsTrailers(),

		CheckNative:    d.bucket.checkNative,
		CountsRequests: true,
	}
	// Amazon S3 needs no Location, because the name of a bucket is unique on Amazon S3.
	if d.account.endpoint != nil || d.account.hasCustomResolver {
		// The SDK computes the URL without a request. If it cannot, the bucket has no Location.
		if u, err := d.account.urlOf(context.Background(), d.bucket.name); err == nil {
			desc.Location = u.String()
		}
	}
	if d.account.canVend(d.bucket.name) {
		desc.Features |= storage.Vending
	}
	if p.Batch != BatchNone {
		desc.MaxBatch = cmp.Or(p.MaxBatch, maxBatch)
	}
	if d.account.isAnonymous || !d.bucket.canSign() {
		desc.Features &^= signFeatures
	}
	// The credentials of a session differ from process to process.
	if d.account.isSession {
		desc.Features &^= storage.StableURLs
	}
	if d.account.requesterPays || d.account.expectedOwner != "" ||
		bucketname.IsARN(d.bucket.name) {
		// A form cannot have the headers for RequesterPays and ExpectedBucketOwner. It also needs
		// the bucket's name, which an ARN lacks.
		desc.Features &^= storage.SignedForms
	}
	if bucketname.IsDirectory(d.bucket.name) {
		desc.Features &^= directoryLacks
		desc.FolderOrder = false
		desc.FolderPrefixes = true
		desc.SlashDelimiter = true
		desc.PublicBaseURL = "" // no object is public
	}
	return desc
}

// placesOf returns the account and the name of a bucket, and whether the bucket may have other
// names. At Amazon, the alias of an access point is a second name. Other servers may give a bucket
// several names (garage bucket alias).
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-naming.html
func placesOf(a *account, bucket string) []driver.Place {
	return []driver.Place{{
		Account: a.identity,
		Bucket:  bucket,
		Alias:   !a.isAmazon() || bucketname.IsARN(bucket) || strings.HasSuffix(bucket, "s3alias"),
	}}
}

// Locate returns a reference that all buckets with the same credential can copy from.
func (d *objectDriver) Locate(key string) driver.ObjectRef {
	return driver.ObjectRef{Account: d.account.identity, Bucket: d.bucket.name, Key: key}
}

// Native returns Config.Client if it is set, or else a new *s3.Client with the settings of this
// driver, which retries as the SDK does by default.
func (d *objectDriver) Native() any {
	if d.account.configClient != nil {
		return d.account.configClient
	}
	return sdkcall.CloneClient(d.account.client, func(o *awss3.Options) {
		o.Retryer = retry.NewStandard()
	})
}

// Close closes idle connections.
func (d *objectDriver) Close() error { return d.account.close() }
