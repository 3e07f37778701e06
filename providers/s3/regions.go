package s3

import awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

// spansRegions reports whether the region selects the server, which it does for Amazon
// without an endpoint.
func (a *account) spansRegions() bool { return a.endpoint == nil && !a.customResolver }

// inRegion returns the account for requests in a region.
func (a *account) inRegion(region string) *account {
	if !a.spansRegions() || region == a.region {
		return a
	}
	changed := *a
	changed.region, changed.keys, changed.givenClient = region, &signingKeys{}, nil
	changed.client = cloneClient(a.client, func(o *awss3.Options) { o.Region = region })
	return &changed
}

// cloneClient returns a changed copy of a client. It has its own sessions of directory
// buckets, which the SDK would give to the last client.
func cloneClient(c *awss3.Client, change func(*awss3.Options)) *awss3.Client {
	o := c.Options()
	o.ExpressCredentials = nil
	return awss3.New(o, change)
}

// remember stores the region of a bucket, unless it is "".
func (s *serviceDriver) remember(bucket, region string) {
	switch {
	case region == "" || !s.account.spansRegions():
	case region == s.account.region:
		s.regions.Delete(bucket)
	default:
		s.regions.Store(bucket, region)
	}
}

// accountFor returns the account for requests to a bucket.
func (s *serviceDriver) accountFor(bucket string) *account {
	if region, known := s.regions.Load(bucket); known {
		return s.account.inRegion(region.(string))
	}
	return s.account
}

func (s *serviceDriver) managedBucket(name string) *managed {
	return &managed{account: s.accountFor(name), name: name}
}

// inBucketRegion calls do for a bucket. If the server responds that the bucket is in
// another region, do had no effect, and inBucketRegion calls it again for that region.
func (s *serviceDriver) inBucketRegion(name string, do func(*managed) error) error {
	b := s.managedBucket(name)
	err := do(b)
	region := otherRegion(err)
	if region == "" || region == b.account.region || !s.account.spansRegions() {
		return err
	}
	s.remember(name, region)
	return do(s.managedBucket(name))
}
