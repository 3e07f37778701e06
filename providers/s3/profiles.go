package s3

import (
	"slices"
	"strings"
)

// profiles has the known properties of each kind of server, and their source. "Run" means tests
// of a server that was built from source, and "Docs" means the provider's documents. A profile
// declares nothing else. A server with SigV4 refuses changed signed headers, and so another
// content type or length of a presigned upload. It may still ignore If-None-Match.
var profiles = []Profile{
	{
		// Docs: enforces conditions of writes (August and November 2024), deletes
		// (September 2025) and copies. Multipart uploads have a CRC32C of type
		// FULL_OBJECT.
		Name: "aws", amazon: true, hostless: true,
		Conditions: Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true},
		Checksum:   ChecksumFullObject, TrailingChecksums: true, Batch: BatchChecksum, ObjectLock: LockAllBuckets,
		Hosts:         amazonHosts(),
		SignedUploads: SignedUploads{ContentType: true, Size: true, IfAbsent: true},
		Copy:          true, CopyParts: true, PinnedCopyParts: true, CopiedChecksums: true, KMS: true, BucketOwners: true,
		StorageClasses: true, SignedForms: true, Tags: true, Versioning: true, Restore: true, BucketPolicy: true,
		CORS: true, Lifecycle: true, Location: true, VirtualHost: true, OrderedListing: true, LeadingSlashes: true,
		ObjectACLs:   true, // if the bucket allows ACLs; else AccessControlListNotSupported
		CustomerKeys: true, // if the bucket allows SSE-C; else AccessDenied
	},
	{
		// Docs: has ACLs of objects, policies, CORS, lifecycle, versioning and SSE-C
		// (https://docs.digitalocean.com/products/spaces/reference/s3-compatibility/). The
		// bucket's ACL applies only to listings, so that a policy makes it public.
		// Only a Space whose owner has enabled the CDN has a host of the CDN. In one region,
		// users saw If-None-Match of PutObject hold (gordonmurray/firnflow#29); s3probe must
		// confirm the rest. It is built on Ceph: older releases check Content-MD5, but accept a
		// CRC32C without checking it. The release is unknown, so names of metadata have no "_".
		Name: "spaces", Batch: BatchMD5, Hosts: []string{"{region}.digitaloceanspaces.com"},
		SignedUploads: SignedUploads{ContentType: true, Size: true},
		ContentMD5:    true, Copy: true, CopyParts: true, CustomerKeys: true, ObjectACLs: true, SignedForms: true,
		Versioning: true, BucketPolicy: true, CORS: true, Lifecycle: true, VirtualHost: true, EscapeUnderscores: true,
		OrderedListing: true,
	},
	{
		// Docs: has conditions on PutObject and CompleteMultipartUpload, on copies
		// only as cf-copy-destination-if-*, and none on deletes. A completion whose condition
		// is false aborts the upload (release notes, 2023-08-11). Parts must have the
		// same size, and those that are copied have no conditions for their source
		// (cloudflare/cloudflare-docs pull request 32458). The CRC32C of a multipart upload
		// is COMPOSITE. It has SSE-C on all requests (cloudflare/cloudflare-docs,
		// r2/api/s3/api.mdx), and no other encryption that a request names. There are no
		// ACLs, POST policies, versions or policies, and no anonymous reads by the
		// S3 URL. A Put may have 5 GiB minus 5 MiB. OpenDAL's documents: more than 700 objects
		// in one DeleteObjects are an InternalError (apache/opendal#2227).
		Name: "r2", Conditions: Conditions{Create: true, Update: true, Complete: true}, Checksum: ChecksumHeader,
		Batch: BatchMD5, Hosts: []string{"*.r2.cloudflarestorage.com"}, Region: "auto", PublicURL: "none",
		MaxPutSize: maxPutSize - minPartSize, MaxBatch: 700,
		SignedUploads: SignedUploads{ContentType: true, Size: true, IfAbsent: true},
		RefusalAborts: true, EqualParts: true, Copy: true, CopyParts: true, CustomerKeys: true, StorageClasses: true,
		CORS: true, Lifecycle: true, OrderedListing: true,
	},
	{
		// Docs: only the bucket's ACL makes objects public. Every bucket keeps
		// versions. It has object lock and SSE-C, no keys of a KMS, and since 2026 lifecycle rules
		// (https://www.backblaze.com/apidocs/s3-put-lifecycle-configuration). Users' issues (2025, 2026): it
		// refused x-amz-checksum-* as an unsupported header, and If-None-Match as not implemented.
		Name: "b2", Batch: BatchMD5, ObjectLock: LockNewBuckets, Hosts: []string{"s3.{region}.backblazeb2.com"},
		SignedUploads: SignedUploads{ContentType: true, Size: true},
		ContentMD5:    true, Copy: true, CopyParts: true, CustomerKeys: true, Versioning: true, BucketACL: true,
		CORS: true, Lifecycle: true, VirtualHost: true, OrderedListing: true,
	},
	{
		// Docs: recommends path style. It has object lock. Paid accounts have public
		// access, by policy or ACL. Users' issues (2025): it refused every flexible checksum. Third
		// parties claim conditions, which is not confirmed.
		Name: "wasabi", Batch: BatchMD5, ObjectLock: LockNewBuckets,
		Hosts:         []string{"s3.{region}.wasabisys.com", "s3.wasabisys.com"},
		SignedUploads: SignedUploads{ContentType: true, Size: true},
		ContentMD5:    true, Copy: true, CopyParts: true, ObjectACLs: true, SignedForms: true, Versioning: true,
		BucketPolicy: true, Lifecycle: true, Location: true, OrderedListing: true,
	},
	{
		// Run (source of February 2026): PutObject and CompleteMultipartUpload
		// enforce If-None-Match and If-Match, with one winner of 16. CopyObject,
		// DeleteObject and batches ignore them. A part that is copied into an upload
		// with a checksum is 400. An update of a missing key is 404 since August
		// 2025. Before that it wrote, and such a server needs a profile of s3probe.
		// CORS of a bucket is 501, and ACLs of objects have no effect. Lifecycle
		// rules lose AbortIncompleteMultipartUpload. ListMultipartUploads lists nothing
		// if a prefix is not a whole key. With a delimiter other than "/"
		// it repeats pages. It encrypts with a key of its KMS and, over TLS, with a
		// customer's, and ignores x-amz-expected-bucket-owner. Only a new bucket can have
		// object lock.
		Name: "minio", Conditions: Conditions{Create: true, Update: true, Complete: true}, Checksum: ChecksumFullObject,
		TrailingChecksums: true,
		Batch:             BatchMD5, ObjectLock: LockNewBuckets, Hosts: []string{"play.min.io"},
		SignedUploads: SignedUploads{ContentType: true, Size: true, IfAbsent: true},
		identifies:    true, Copy: true, CopyParts: true, PinnedCopyParts: true, StorageClasses: true,
		CustomerKeys: true,
		SignedForms:  true, Tags: true, Versioning: true, BucketPolicy: true, Lifecycle: true, OrderedListing: true,
		SlashDelimiter: true, TokenAfterLast: true, HidesUploads: true, ShortSegments: true,
		KMS:        true,                     // if the server has a KMS; else NotImplemented
		SlowTokens: true, fullSegments: true, // by its source, and as measured with 10,000 keys
	},
	{
		// Docs and its conformance tests: PutObject has had conditions for long,
		// CompleteMultipartUpload since 2025 (pull request 64830), and deletes, too
		// (63348). The release of an endpoint is unknown. Squid and later check a
		// CRC32C, and all releases check Content-MD5. Until Quincy, "_" in names of
		// metadata becomes "-" (ceph/ceph pull request 38737). The tests have SSE-KMS
		// and SSE-C, tags, and object lock of new buckets.
		Name: "ceph", Batch: BatchMD5, ObjectLock: LockNewBuckets,
		SignedUploads: SignedUploads{ContentType: true, Size: true},
		ContentMD5:    true, Copy: true, CopyParts: true, ObjectACLs: true, StorageClasses: true, KMS: true,
		CustomerKeys: true, SignedForms: true, Tags: true, Versioning: true, BucketPolicy: true, CORS: true,
		Lifecycle: true, EscapeUnderscores: true, OrderedListing: true,
	},
	{
		// Docs: has no ACLs, versions or policies. A bucket becomes public as a website,
		// outside of S3. Replicas become equal only later, so that no condition of a write can
		// be atomic.
		Name: "garage", Batch: BatchMD5, PublicURL: "none", SignedUploads: SignedUploads{ContentType: true, Size: true},
		Racy:       Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true},
		ContentMD5: true, Copy: true, CopyParts: true, SignedForms: true, CORS: true, Lifecycle: true,
		OrderedListing: true,
		Region:         "garage", // the default of its configuration
	},
	{
		// Changelog: has conditions since August 2025, which are atomic since March
		// 2026. Before that it overwrote the object. It stores a CRC32C since April
		// 2026, and that of multipart uploads since July 2026. The version of an
		// endpoint is unknown.
		// Run (4.44): it lists like a directory tree, with all of a/ before a-b, and
		// omits folders with start-after.
		Name: "seaweedfs", Batch: BatchMD5, SignedUploads: SignedUploads{ContentType: true, Size: true},
		ContentMD5: true, Copy: true, CopyParts: true, SignedForms: true, Versioning: true, BucketPolicy: true,
		CORS: true, Lifecycle: true, ShortSegments: true,
	},
	{
		// Run (v1.8.0 on a file system): PutObject and CompleteMultipartUpload enforce
		// conditions, with one winner of 16. DeleteObject tests them first and deletes
		// later, and removed a newer object. CopyObject and batches ignore them.
		// Create-only after a delete marker fails. The checksum of an object of
		// copied ranges is wrong. Lifecycle is 501. It stores an object in the clear
		// if a request has the headers of SSE-KMS or SSE-C. It stores an object
		// without its lock before it refuses the lock of a bucket without object lock,
		// and never ends a retention. It lists an old version with the time of its
		// replacement; its source makes the id a ULID of the time of the version.
		Name: "versitygw", Conditions: Conditions{Create: true, Update: true, Complete: true},
		Checksum: ChecksumFullObject, Batch: BatchMD5, ObjectLock: LockAllBuckets,
		SignedUploads: SignedUploads{ContentType: true, Size: true, IfAbsent: true}, Racy: Conditions{Remove: true},
		identifies: true, timesInIDs: true, Copy: true, CopyParts: true, PinnedCopyParts: true, BucketOwners: true,
		SignedForms: true, Tags: true, Versioning: true, BucketPolicy: true, CORS: true, OrderedListing: true,
		TokenAfterLast: true, ShortSegments: true,
	},
	{
		// Run: our own server (package s3server), which keeps Amazon's rules. It is asked
		// for buckets by path, and responds with 501 if the store below it lacks a feature.
		Name:       "omnibucket",
		Conditions: Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true},
		Checksum:   ChecksumFullObject, TrailingChecksums: true, Batch: BatchChecksum, ObjectLock: LockAllBuckets,
		SignedUploads: SignedUploads{ContentType: true, Size: true, IfAbsent: true},
		identifies:    true, Copy: true, CopyParts: true, PinnedCopyParts: true, CopiedChecksums: true, ObjectACLs: true,
		KMS: true, CustomerKeys: true, BucketOwners: true, StorageClasses: true, SignedForms: true, Tags: true,
		Versioning: true, Restore: true, BucketPolicy: true, CORS: true, Lifecycle: true, Location: true,
		OrderedListing: true, LeadingSlashes: true,
	},
	{
		// Users' issues: the XML API ignores If-Match and If-None-Match on PutObject. Its
		// front end changes Accept-Encoding. Docs: has DeleteObjects since 2026
		// (https://docs.cloud.google.com/storage/docs/xml-api/post-bucket), canned ACLs if access
		// is not uniform, and x-goog- headers instead of x-amz-checksum and storage classes.
		Name: "gcs", Batch: BatchMD5, Hosts: []string{"storage.googleapis.com"}, Region: "auto",
		SignedUploads: SignedUploads{ContentType: true, Size: true},
		ContentMD5:    true, Copy: true, ObjectACLs: true, UnsignedEncoding: true, OrderedListing: true,
	},
	{
		// Docs: an upload has at most 1,000 parts; has conditions since July 2026, which s3probe must confirm, and
		// policies in a form of its own (scaleway/docs-content, pages/object-storage/api-cli). Other fields are as
		// unknown.
		Name: "scaleway", unsorted: true, Batch: BatchMD5, Hosts: []string{"s3.{region}.scw.cloud"}, MaxParts: 1000,
		SignedUploads: SignedUploads{ContentType: true, Size: true},
		Copy:          true, CopyParts: true, CustomerKeys: true, ObjectACLs: true, StorageClasses: true, SignedForms: true,
		Versioning: true, CORS: true, Lifecycle: true, VirtualHost: true, OrderedListing: true,
	},
	{
		// Docs: in a bucket with the location Global, which is the default, a region sees the writes of other regions
		// later, so that no condition of a write can be atomic (https://www.tigrisdata.com/docs/buckets/locations).
		// The index is ordered (https://www.tigrisdata.com/blog/data-layer-foundationdb). Other fields are as
		// unknown.
		Name: "tigris", Batch: BatchMD5, Hosts: []string{"t3.storage.dev", "fly.storage.tigris.dev"}, Region: "auto",
		SignedUploads: SignedUploads{ContentType: true, Size: true},
		Racy:          Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true},
		HidesUploads:  true, Copy: true, CopyParts: true, SignedForms: true, Versioning: true, OrderedListing: true,
	},
	{
		// An access point of Amazon's, by its ARN or its alias, may belong to an FSx
		// volume instead of a bucket. Docs of FSx: has no ACLs, versions, conditional
		// writes, classes or presigned URLs, and copies only inside one access point.
		// https://docs.aws.amazon.com/fsx/latest/ONTAPGuide/access-points-for-fsxn-object-api-support.html
		Name: accessPointProfile, hostless: true, mixed: true, Batch: BatchMD5,
		ContentMD5: true, Copy: true, CopyParts: true, VirtualHost: true, NoSigning: true,
		OrderedListing: true, // the core ends a listing that is not in order
	},
	{
		// The careful profile: no conditions until s3probe has tested them, no checksum
		// header, because some servers refuse it, and no feature that servers often lack.
		// MinIO, behind whatever host, omits uploads in progress from listings.
		Name: "unknown", hostless: true, unnamed: true, Batch: BatchMD5,
		SignedUploads: SignedUploads{ContentType: true, Size: true},
		HidesUploads:  true, Copy: true, CopyParts: true, SignedForms: true, Versioning: true, OrderedListing: true,
	},
}

// NamedProfile returns the profile with a name: aws, spaces, r2, b2, wasabi, minio, ceph,
// garage, seaweedfs, versitygw, omnibucket, gcs, scaleway, tigris, accesspoint or unknown.
func NamedProfile(name string) (Profile, bool) {
	for _, p := range profiles {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}

// row returns the row of profiles with the name of p. If there is none, such as for a probed
// profile, the row is empty.
func (p *Profile) row() Profile {
	row, _ := NamedProfile(p.Name)
	return row
}

// ProfileNames returns the names that [NamedProfile] knows, sorted.
func ProfileNames() []string {
	var names []string
	for _, p := range profiles {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// profileAt returns the profile of a server, the region of its host or of the profile, and whether
// the profile of its host says that it lists in byte order. given is the user's choice, or nil. An
// empty host means Amazon.
func profileAt(given *Profile, host string) (p Profile, region string, ordered bool) {
	p, region, known := profileOfHost(host)
	ordered = known && p.OrderedListing && !p.unsorted
	switch {
	case given != nil:
		if own, matched := given.regionOf(host); matched {
			region = own
		}
		p = *given
	case host == "":
		p, _ = NamedProfile("aws")
	case !known:
		p, _ = NamedProfile("unknown")
	}
	if region == "" && host != "" {
		region = p.Region
	}
	return p, region, ordered
}

// regionLabel is the placeholder for a region in Profile.Hosts.
const regionLabel = "{region}"

func profileOfHost(host string) (p Profile, region string, known bool) {
	for _, p := range profiles {
		if region, ok := p.regionOf(host); ok {
			return p, region, true
		}
	}
	return Profile{}, "", false
}

// amazonEndpoint reports whether an endpoint is one of Amazon's, also of a VPC or FIPS.
func amazonEndpoint(endpoint string) bool {
	u, err := parseEndpoint(endpoint)
	if err != nil {
		return false
	}
	p, _, known := profileOfHost(u.Hostname())
	return known && p.amazon
}

// regionOf reports whether host is one of the profile's, and returns its region.
func (p *Profile) regionOf(host string) (region string, known bool) {
	for _, pattern := range p.Hosts {
		if region, ok := matchHost(pattern, strings.ToLower(host)); ok {
			return region, true
		}
	}
	return "", false
}

// matchHost compares a host with a pattern, label by label from the end. A "*" at the
// start matches one or more labels. "{region}" may end a label.
func matchHost(pattern, host string) (region string, ok bool) {
	want, have := strings.Split(pattern, "."), strings.Split(host, ".")
	slices.Reverse(want)
	slices.Reverse(have)
	for i, label := range want {
		switch {
		case i >= len(have) || have[i] == "":
			return "", false
		case label == "*":
			return region, true
		case strings.HasSuffix(label, regionLabel):
			var found bool
			if region, found = strings.CutPrefix(have[i], strings.TrimSuffix(label, regionLabel)); !found ||
				region == "" {
				return "", false
			}
		case label != have[i]:
			return "", false
		}
	}
	return region, len(want) == len(have)
}
