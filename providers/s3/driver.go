package s3

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
)

var _ storage.Driver = (*driver)(nil)

// A driver is one bucket of an account.
type driver struct {
	storage.UnimplementedDriver
	*account
	bucket    string
	endpoints [2]atomic.Pointer[bucketEndpoint] // the server's, and the one for the last base URL
	seen      atomic.Pointer[time.Time]         // when a missing object last showed that the bucket exists
	// noChecksums is when the credentials were last not allowed to read a checksum.
	noChecksums atomic.Pointer[time.Time]

	// Tests lower these sizes, in bytes, to copy small objects in parts. 0 is the
	// profile's.
	copyLimit, copyPart, minPart int64
}

// directorySuffix ends the names of Amazon's directory buckets, which list in no order.
const directorySuffix = "--x-s3"

// Describe returns what the bucket's server can do, by its profile.
func (d *driver) Describe() storage.Description {
	p := &d.profile
	desc := storage.Description{
		Provider:      provider,
		Bucket:        d.bucket,
		Features:      p.features(),
		PublicBaseURL: d.publicURL(),
		ASCIIMetadata: true,
		SigningHint:   d.signingHint(),
		FeatureHint:   d.featureHint(),

		FolderOrder:        !p.OrderedListing,
		StartsAfter:        d.startsAfter,
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

		ChecksumWhileSending: d.hashesNothing(),

		CheckNative:    d.checkNative,
		CountsRequests: true,
	}
	if d.endpoint != nil || d.customResolver { // names of Amazon's buckets are unique
		if u, err := d.urlOf(context.Background(), d.bucket, ""); err == nil {
			desc.Location = u.String()
		}
	}
	if p.Batch != BatchNone {
		desc.MaxBatch = maxBatch
	}
	if d.anonymous || !d.canSign() {
		desc.Features &^= storage.SignedURLs | storage.SignedContentType | storage.SignedSize | storage.SignedIfAbsent | storage.SignedForms | storage.SignedHead |
			storage.SignedTags | storage.SignedLocks | storage.SignedParts | storage.SignedPartChecksums
	}
	if d.requesterPays || d.expectedOwner != "" || isARN(d.bucket) { // a form cannot say who pays or owns; its policy needs the bucket's name, which an ARN does not have
		desc.Features &^= storage.SignedForms
	}
	if strings.HasSuffix(d.bucket, directorySuffix) {
		desc.Features &^= storage.OrderedListing
		desc.FolderOrder = false
	}
	return desc
}

// featureHint returns the hint for features that the server may have and that are not
// declared.
func (a *account) featureHint() string {
	switch a.profile.Name {
	case "unknown":
		return a.server.hint()
	case accessPointProfile:
		return "an access point may belong to an FSx volume: set profile=aws if it belongs to a bucket"
	}
	return ""
}

func (a *account) signingHint() string {
	if a.profile.NoSigning {
		return a.featureHint()
	}
	return ""
}

// canSign reports whether this package can sign URLs of the bucket. A directory bucket
// needs a session, and another region needs its own key. If there is no URL, Sign
// returns the reason.
func (d *driver) canSign() bool {
	e, err := d.bucketEndpoint(context.Background(), "")
	return err != nil || e.sigV4
}

// publicURL returns the URL at which the objects are public, or "".
func (d *driver) publicURL() string {
	switch pattern := d.profile.PublicURL; pattern {
	case "none":
		return ""
	case "":
		u, err := d.bucketURL(context.Background(), "")
		if err != nil {
			return ""
		}
		return u.String() + "/"
	default:
		region := d.region
		if d.endpoint != nil { // the host's region, which may differ from the one for signatures
			if own, known := d.profile.regionOf(d.endpoint.Hostname()); known {
				region = own
			}
		}
		return strings.NewReplacer("{bucket}", d.bucket, "{region}", region).Replace(pattern)
	}
}

// Locate returns a reference that all buckets with the same credential can copy from.
func (d *driver) Locate(key string) storage.ObjectRef {
	return storage.ObjectRef{Account: d.identity, Bucket: d.bucket, Key: key}
}

// Native returns Config.Client, or an *s3.Client with the same settings that retries as
// the SDK does.
func (d *driver) Native() any {
	if d.givenClient != nil {
		return d.givenClient
	}
	return cloneClient(d.client, func(o *awss3.Options) { o.Retryer = retry.NewStandard() })
}

// Close closes idle connections.
func (d *driver) Close() error { return d.close() }

// name returns the bucket's name for the SDK.
func (d *driver) name() *string { return aws.String(d.bucket) }
