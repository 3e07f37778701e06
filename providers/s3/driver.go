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

// driver is one bucket of an account.
type driver struct {
	storage.UnimplementedDriver
	*account
	bucket string
	places [2]atomic.Pointer[place]  // the server's own, and the last that was asked for
	seen   atomic.Pointer[time.Time] // when a miss last found that the bucket is there

	// Tests lower these, so that a copy in parts need not be of 5 GiB.
	copyLimit, copyPart, minPart int64 // bytes; 0: the profile's
}

// directorySuffix marks Amazon's directory buckets, which list in no order.
const directorySuffix = "--x-s3"

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

		FolderOrder:    !p.OrderedList,
		SlashDelimiter: p.SlashDelimiter,
		TokenAfterLast: p.TokenAfterLast,

		MaxPutSize:  p.putLimit(),
		MinPartSize: minPartSize,
		MaxPartSize: p.putLimit(),
		MaxParts:    p.partsLimit(),
		MaxPage:     maxPage,

		CountsRequests: true,
	}
	if d.endpoint != nil || d.resolved { // Amazon's names are unique
		if u, err := d.addressOf(context.Background(), d.bucket, ""); err == nil {
			desc.Location = u.String()
		}
	}
	if p.Batch != BatchNone {
		desc.MaxBatch = maxBatch
	}
	if d.anonymous || !d.signsPlainly() {
		desc.Features &^= storage.SignURLs | storage.SignContentType | storage.SignSize | storage.SignIfAbsent | storage.SignForms | storage.SignHead
	}
	if d.payer || isARN(d.bucket) { // a form cannot say who pays; a policy names the bucket, which nobody here knows
		desc.Features &^= storage.SignForms
	}
	if strings.HasSuffix(d.bucket, directorySuffix) {
		desc.Features &^= storage.OrderedList
		desc.FolderOrder = false
	}
	return desc
}

// featureHint is for what is not declared because nobody knows that it is kept.
func (a *account) featureHint() string {
	switch a.profile.Name {
	case "unknown":
		return "name the server with profile= (minio, ceph, …) or Config.Profile, or prove with s3.Probe what it enforces"
	case accessPointProfile:
		return "an access point may lead to a volume of FSx: set profile=aws if it is one of a bucket"
	}
	return ""
}

func (a *account) signingHint() string {
	if a.profile.NoSigning {
		return a.featureHint()
	}
	return ""
}

// signsPlainly reports whether addresses of the bucket can be signed here: those
// of a directory bucket take a session, and those of another region its key.
// Without an address, Sign has the reason.
func (d *driver) signsPlainly() bool {
	at, err := d.placeAt(context.Background(), "")
	return err != nil || at.plain
}

// publicURL is where the bucket's objects are served, if they are.
func (d *driver) publicURL() string {
	switch pattern := d.profile.PublicURL; pattern {
	case "none":
		return ""
	case "":
		u, err := d.bucketAddress(context.Background(), "")
		if err != nil {
			return ""
		}
		return u.String() + "/"
	default:
		region := d.region
		if d.endpoint != nil { // the host's own: one may sign for another
			if own, known := d.profile.regionOf(d.endpoint.Hostname()); known {
				region = own
			}
		}
		return strings.NewReplacer("{bucket}", d.bucket, "{region}", region).Replace(pattern)
	}
}

// Locate is known to every bucket of the account, and of another that was
// opened with the same credential.
func (d *driver) Locate(key string) storage.ObjectRef {
	return storage.ObjectRef{Account: d.identity, Bucket: d.bucket, Key: key}
}

// Native is the *s3.Client that Config had, or one with the same settings; it
// retries as the SDK does.
func (d *driver) Native() any {
	if d.given != nil {
		return d.given
	}
	return another(d.client, func(o *awss3.Options) { o.Retryer = retry.NewStandard() })
}

// Close gives idle connections back.
func (d *driver) Close() error { return d.close() }

// name is the bucket's, for the SDK.
func (d *driver) name() *string { return aws.String(d.bucket) }
