package s3

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// A bucket has the URLs of a bucket and of its objects. It tells why requests failed.
type bucket struct {
	account   *account
	name      string
	endpoints [2]atomic.Pointer[bucketEndpoint] // the server's, and the one for the last base URL
	seen      atomic.Pointer[time.Time]         // when a missing object last showed that the bucket exists
}

// sdkName returns the bucket's name for the SDK.
func (b *bucket) sdkName() *string { return aws.String(b.name) }

// canSign reports whether this package can sign URLs of the bucket. A directory bucket
// needs a session, and another region needs its own key. If there is no URL, Sign
// returns the reason.
func (b *bucket) canSign() bool {
	e, err := b.endpoint(context.Background(), "")
	return err != nil || e.sigV4
}

// publicURL returns the URL at which the objects are public, or "".
func (b *bucket) publicURL() string {
	switch pattern := b.account.profile.PublicURL; pattern {
	case "none":
		return ""
	case "":
		u, err := b.url(context.Background(), "")
		if err != nil {
			return ""
		}
		return u.String() + "/"
	default:
		region := b.account.region
		if b.account.endpoint != nil { // the host's region, which may differ from the one for signatures
			if own, known := b.account.profile.regionOf(b.account.endpoint.Hostname()); known {
				region = own
			}
		}
		return strings.NewReplacer("{bucket}", b.name, "{region}", region).Replace(pattern)
	}
}
