package s3

import (
	"sync"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
)

// regions are where buckets are that are not in their account's own region:
// region by name.
type regions struct{ known sync.Map }

// spansRegions reports whether a request finds a region's server by the region
// alone, as Amazon's are found where no endpoint is named.
func (a *account) spansRegions() bool { return a.endpoint == nil && !a.resolved }

// in is the account as it asks in a region.
func (a *account) in(region string) *account {
	if !a.spansRegions() || region == a.region {
		return a
	}
	there := *a
	there.region, there.keys, there.given = region, &signingKeys{}, nil
	there.client = another(a.client, func(o *awss3.Options) { o.Region = region })
	return &there
}

// another is a client like one, changed. The sessions of directory buckets are its
// own: the SDK hands them to the client that was made last.
func another(like *awss3.Client, change func(*awss3.Options)) *awss3.Client {
	o := like.Options()
	o.ExpressCredentials = nil
	return awss3.New(o, change)
}

// remember notes what was seen of a bucket's region; "" is nothing.
func (s *serviceDriver) remember(bucket, region string) {
	switch {
	case region == "" || !s.spansRegions():
	case region == s.region:
		s.regions.known.Delete(bucket)
	default:
		s.regions.known.Store(bucket, region)
	}
}

// accountOf is the account as it asks for a bucket.
func (s *serviceDriver) accountOf(bucket string) *account {
	if region, known := s.regions.known.Load(bucket); known {
		return s.in(region.(string))
	}
	return s.account
}

func (s *serviceDriver) manage(name string) *managed { return &managed{s.accountOf(name), name} }

// inItsRegion does something to a bucket, and does it anew where the answer was
// that the bucket is in another region: nothing has happened then.
func (s *serviceDriver) inItsRegion(name string, do func(*managed) error) error {
	b := s.manage(name)
	err := do(b)
	region := otherRegion(err)
	if region == "" || region == b.region || !s.spansRegions() {
		return err
	}
	s.remember(name, region)
	return do(s.manage(name))
}
