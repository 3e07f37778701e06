package s3

import (
	"cmp"
	"slices"
	"strings"

	"github.com/omnibucket/storage/providers/internal/address"
	"github.com/omnibucket/storage/providers/s3/internal/hostname"
)

// profiles has the profile of each known kind of server. A comment in each profile gives the source
// of its values. "Tested" means that we built the server from source and ran tests against it. A
// profile declares only what its sources support.
//
// A server that checks SigV4 refuses a request with a changed signed header. It therefore enforces
// the content type and the length of a presigned upload. It may still ignore If-None-Match.
var profiles = []Profile{
	{
		// Amazon documents that S3 enforces conditions of writes (August and November 2024), of
		// deletes (September 2025) and of copies. Multipart uploads have a CRC32C of type
		// FULL_OBJECT.
		Name:              "aws",
		amazon:            true,
		hostless:          true,
		Conditions:        Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true},
		Checksum:          ChecksumFullObject,
		TrailingChecksums: true,
		Batch:             BatchChecksum,
		ObjectLock:        LockAllBuckets,
		Hosts:             hostname.AmazonHosts(),
		SignedUploads:     SignedUploads{ContentType: true, Size: true, IfAbsent: true},
		Copy:              true,
		CopyParts:         true,
		PinnedCopyParts:   true,
		CopiedChecksums:   true,
		KMS:               true,
		BucketOwners:      true,
		StorageClasses:    true,
		SignedForms:       true,
		Tags:              true,
		Versioning:        true,
		Restore:           true,
		BucketPolicy:      true,
		CORS:              true,
		Lifecycle:         true,
		Location:          true,
		Sessions:          true,
		VirtualHost:       true,
		OrderedListing:    true,
		LeadingSlashes:    true,
		ObjectACLs:        true, // if the bucket allows ACLs; otherwise AccessControlListNotSupported
		CustomerKeys:      true, // if the bucket allows SSE-C; otherwise AccessDenied
	},
	{
		// DigitalOcean documents ACLs of objects, policies, CORS, lifecycle, versioning and SSE-C
		// (https://docs.digitalocean.com/products/spaces/reference/s3-compatibility/). A bucket's
		// ACL can make only listings public. Only a policy can make all objects public. A Space has
		// a CDN host only if its owner has enabled the CDN
		// (https://docs.digitalocean.com/reference/api/reference/cdn-endpoints/). In one region,
		// users saw that PutObject enforces If-None-Match (gordonmurray/firnflow#29). s3probe must
		// confirm all other conditions. Spaces is built on Ceph. Older releases of Ceph check
		// Content-MD5, accept a CRC32C without checking it, and change "_" in names of metadata.
		// The release is unknown, so the profile is one for an older release.
		Name:              "spaces",
		Batch:             BatchMD5,
		Hosts:             []string{"{region}.digitaloceanspaces.com"},
		SignedUploads:     SignedUploads{ContentType: true, Size: true},
		ContentMD5:        true,
		Copy:              true,
		CopyParts:         true,
		CustomerKeys:      true,
		ObjectACLs:        true,
		SignedForms:       true,
		Versioning:        true,
		BucketPolicy:      true,
		CORS:              true,
		Lifecycle:         true,
		VirtualHost:       true,
		EscapeUnderscores: true,
		OrderedListing:    true,
		CDNURL:            "https://{bucket}.{region}.cdn.digitaloceanspaces.com/",
	},
	{
		// Cloudflare documents conditions for PutObject and CompleteMultipartUpload, and none for
		// deletes. For the destination of a copy, R2 has only headers of its own
		// (cf-copy-destination-if-*). If the condition of a CompleteMultipartUpload is false, R2
		// aborts the upload (release notes, 2023-08-11). All parts must have the same size.
		// UploadPartCopy has no conditions for the source (cloudflare/cloudflare-docs pull request
		// 32458). The CRC32C of a multipart upload is COMPOSITE. All requests support SSE-C
		// (cloudflare/cloudflare-docs, r2/api/s3/api.mdx), but no other encryption can be
		// requested. R2 has no ACLs, POST policies, versions or policies. The S3 URL does not allow
		// anonymous reads. A Put may have 5 GiB minus 5 MiB. OpenDAL reports InternalError for more
		// than 700 objects in one DeleteObjects (apache/opendal#2227).
		Name:           "r2",
		Conditions:     Conditions{Create: true, Update: true, Complete: true},
		Checksum:       ChecksumHeader,
		Batch:          BatchMD5,
		Hosts:          []string{"*.r2.cloudflarestorage.com"},
		Region:         "auto",
		PublicURL:      "none",
		MaxPutSize:     maxPutSize - minPartSize,
		MaxBatch:       700,
		SignedUploads:  SignedUploads{ContentType: true, Size: true, IfAbsent: true},
		RefusalAborts:  true,
		EqualParts:     true,
		Copy:           true,
		CopyParts:      true,
		CustomerKeys:   true,
		StorageClasses: true,
		CORS:           true,
		Lifecycle:      true,
		OrderedListing: true,
	},
	{
		// Backblaze documents that only a bucket's ACL makes its objects public, and that every
		// bucket keeps versions. B2 has object lock and SSE-C, but no keys of a KMS. It has had
		// lifecycle rules since 2026
		// (https://www.backblaze.com/apidocs/s3-put-lifecycle-configuration). Users reported in
		// 2025 and 2026 that B2 refuses x-amz-checksum-* as an unsupported header. They also
		// reported that B2 refuses If-None-Match as not implemented.
		Name:           "b2",
		Batch:          BatchMD5,
		ObjectLock:     LockNewBuckets,
		Hosts:          []string{"s3.{region}.backblazeb2.com"},
		SignedUploads:  SignedUploads{ContentType: true, Size: true},
		ContentMD5:     true,
		Copy:           true,
		CopyParts:      true,
		CustomerKeys:   true,
		Versioning:     true,
		BucketACL:      true,
		CORS:           true,
		Lifecycle:      true,
		VirtualHost:    true,
		OrderedListing: true,
	},
	{
		// Wasabi documents that it recommends path style and has object lock. Only paid accounts
		// have public access, by a policy or an ACL. Users reported in 2025 that Wasabi refuses
		// every flexible checksum. Third parties claim that Wasabi supports conditional requests.
		// Nobody has confirmed this claim.
		Name:           "wasabi",
		Batch:          BatchMD5,
		ObjectLock:     LockNewBuckets,
		Hosts:          []string{"s3.{region}.wasabisys.com", "s3.wasabisys.com"},
		SignedUploads:  SignedUploads{ContentType: true, Size: true},
		ContentMD5:     true,
		Copy:           true,
		CopyParts:      true,
		ObjectACLs:     true,
		SignedForms:    true,
		Versioning:     true,
		BucketPolicy:   true,
		Lifecycle:      true,
		Location:       true,
		OrderedListing: true,
	},
	{
		// Tested with the source of February 2026. PutObject and CompleteMultipartUpload enforce
		// If-None-Match and If-Match: of 16 concurrent writers, one wins. CopyObject, DeleteObject
		// and batches ignore these headers. If a part is copied into an upload with a checksum,
		// MinIO responds with 400. An update of a missing key is refused with 404 since August
		// 2025. Older releases write the object, and need a profile of s3probe. CORS of a bucket is
		// refused with 501, and ACLs of objects have no effect. Lifecycle rules lose
		// AbortIncompleteMultipartUpload. ListMultipartUploads lists no uploads if the prefix is
		// not a whole key. With a delimiter other than "/", listings repeat pages. MinIO encrypts
		// with a key of its KMS and, over TLS, with a customer's key. It ignores
		// x-amz-expected-bucket-owner. Object lock is possible only for a new bucket.
		Name:              "minio",
		Conditions:        Conditions{Create: true, Update: true, Complete: true},
		Checksum:          ChecksumFullObject,
		TrailingChecksums: true,
		Batch:             BatchMD5,
		ObjectLock:        LockNewBuckets,
		Hosts:             []string{"play.min.io"},
		SignedUploads:     SignedUploads{ContentType: true, Size: true, IfAbsent: true},
		identifies:        true,
		Copy:              true,
		CopyParts:         true,
		PinnedCopyParts:   true,
		StorageClasses:    true,
		CustomerKeys:      true,
		SignedForms:       true,
		Tags:              true,
		Versioning:        true,
		BucketPolicy:      true,
		Lifecycle:         true,
		OrderedListing:    true,
		SlashDelimiter:    true,
		TokenAfterLast:    true,
		HidesUploads:      true,
		ShortSegments:     true,
		Sessions:          true,
		KMS:               true, // if the server has a KMS; otherwise NotImplemented
		SlowTokens:        true,
		fullSegments:      true, // sources: the code of MinIO, and a test with 10,000 keys
	},
	{
		// Ceph's documents and conformance tests show conditions. PutObject has had them for a long
		// time. CompleteMultipartUpload has them since 2025 (pull request 64830). Deletes have them
		// since pull request 63348. The profile declares no conditions, because the release of an
		// endpoint is unknown. Squid and later releases check a CRC32C, and all releases check
		// Content-MD5. Until Quincy, "_" in names of metadata becomes "-" (ceph/ceph pull request
		// 38737). The tests cover SSE-KMS and SSE-C, tags, and object lock of new buckets.
		Name:              "ceph",
		Batch:             BatchMD5,
		ObjectLock:        LockNewBuckets,
		SignedUploads:     SignedUploads{ContentType: true, Size: true},
		ContentMD5:        true,
		Copy:              true,
		CopyParts:         true,
		ObjectACLs:        true,
		StorageClasses:    true,
		KMS:               true,
		CustomerKeys:      true,
		SignedForms:       true,
		Tags:              true,
		Versioning:        true,
		BucketPolicy:      true,
		CORS:              true,
		Lifecycle:         true,
		EscapeUnderscores: true,
		OrderedListing:    true,
	},
	{
		// Garage documents that it has no ACLs, versions or policies. A bucket becomes public only
		// as a website, outside of S3. Replicas become equal only later, so that no condition of a
		// write can be atomic.
		Name:           "garage",
		Batch:          BatchMD5,
		PublicURL:      "none",
		SignedUploads:  SignedUploads{ContentType: true, Size: true},
		Racy:           Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true},
		ContentMD5:     true,
		Copy:           true,
		CopyParts:      true,
		SignedForms:    true,
		CORS:           true,
		Lifecycle:      true,
		OrderedListing: true,
		Region:         "garage", // the default of its configuration
	},
	{
		// By the changelog of SeaweedFS, conditions exist since August 2025, and are atomic since
		// March 2026. A release without conditions overwrites the object. SeaweedFS stores the
		// CRC32C of a Put since April 2026, and the CRC32C of a multipart upload since July 2026.
		// The release that runs at an endpoint is unknown. So this profile declares neither
		// conditions nor checksums. The release 4.44 was tested. It lists keys in the order of a
		// directory tree: all keys under a/ come before a-b. If a listing has start-after, 4.44
		// omits folders.
		Name:          "seaweedfs",
		Batch:         BatchMD5,
		SignedUploads: SignedUploads{ContentType: true, Size: true},
		ContentMD5:    true,
		Copy:          true,
		CopyParts:     true,
		SignedForms:   true,
		Versioning:    true,
		BucketPolicy:  true,
		CORS:          true,
		Lifecycle:     true,
		ShortSegments: true,
	},
	{
		// Tested with v1.8.0 on a file system. PutObject and CompleteMultipartUpload enforce
		// conditions: of 16 concurrent writers, one wins. DeleteObject tests its condition before
		// the removal, not atomically. In a test, it removed a newer object. CopyObject and batches
		// ignore conditions. If the current version is a delete marker, a write with If-None-Match
		// fails. The checksum of an object that consists of copied ranges is wrong. Lifecycle is
		// refused with 501. If a request has the headers of SSE-KMS or SSE-C, versitygw stores the
		// object without encryption. If a bucket has no object lock, versitygw refuses a write with
		// a lock only after it has stored the object. A retention never ends. A listing shows an
		// old version with the time at which the version was replaced. In the source code, the id
		// of a version is a ULID, which contains the version's own time.
		Name:            "versitygw",
		Conditions:      Conditions{Create: true, Update: true, Complete: true},
		Checksum:        ChecksumFullObject,
		Batch:           BatchMD5,
		ObjectLock:      LockAllBuckets,
		SignedUploads:   SignedUploads{ContentType: true, Size: true, IfAbsent: true},
		Racy:            Conditions{Remove: true},
		identifies:      true,
		timesInIDs:      true,
		Copy:            true,
		CopyParts:       true,
		PinnedCopyParts: true,
		BucketOwners:    true,
		SignedForms:     true,
		Tags:            true,
		Versioning:      true,
		BucketPolicy:    true,
		CORS:            true,
		OrderedListing:  true,
		TokenAfterLast:  true,
		ShortSegments:   true,
	},
	{
		// Tested: this is our own server (package s3server), which keeps Amazon's rules. Its
		// buckets are addressed by path. It responds with 501 if the store below it lacks a
		// feature.
		Name:              "omnibucket",
		Conditions:        Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true},
		Checksum:          ChecksumFullObject,
		TrailingChecksums: true,
		Batch:             BatchChecksum,
		ObjectLock:        LockAllBuckets,
		SignedUploads:     SignedUploads{ContentType: true, Size: true, IfAbsent: true},
		identifies:        true,
		Copy:              true,
		CopyParts:         true,
		PinnedCopyParts:   true,
		CopiedChecksums:   true,
		ObjectACLs:        true,
		KMS:               true,
		CustomerKeys:      true,
		BucketOwners:      true,
		StorageClasses:    true,
		SignedForms:       true,
		Tags:              true,
		Versioning:        true,
		Restore:           true,
		BucketPolicy:      true,
		CORS:              true,
		Lifecycle:         true,
		Location:          true,
		OrderedListing:    true,
		LeadingSlashes:    true,
		Sessions:          true,
	},
	{
		// Users reported that the XML API ignores If-Match and If-None-Match on PutObject. They
		// also reported that Google's front end changes Accept-Encoding. Google documents
		// DeleteObjects since 2026
		// (https://docs.cloud.google.com/storage/docs/xml-api/post-bucket). Canned ACLs work only
		// if the bucket's access is not uniform. x-goog- headers replace the headers
		// x-amz-checksum-* and x-amz-storage-class.
		Name:             "gcs",
		Batch:            BatchMD5,
		Hosts:            []string{"storage.googleapis.com"},
		Region:           "auto",
		SignedUploads:    SignedUploads{ContentType: true, Size: true},
		ContentMD5:       true,
		Copy:             true,
		ObjectACLs:       true,
		UnsignedEncoding: true,
		OrderedListing:   true,
	},
	{
		// The sources are the code of RustFS 1.0.0-rc.3 of August 2026 (rustfs/rustfs, commit
		// 20d126649, docs/architecture/s3-compatibility-matrix.md) and the conformance tests that
		// it runs (scripts/s3-tests). They have SSE-C, tags, forms, versions, policies, CORS and
		// lifecycle rules. ACLs authorize nobody, the listing of uploads is outside of the tests,
		// and If-Match of DeleteObject, too. PutObject has conditions since August 2025. Until
		// January 2026, several nodes of a cluster let several writers win (issue 1659). The release
		// at an endpoint is unknown, and RustFS does not name itself in the header Server. So this
		// profile declares no conditions: s3probe must confirm them.
		Name:           "rustfs",
		isUnsorted:     true,
		Batch:          BatchMD5,
		SignedUploads:  SignedUploads{ContentType: true, Size: true},
		HidesUploads:   true,
		Copy:           true,
		CopyParts:      true,
		CustomerKeys:   true,
		SignedForms:    true,
		Tags:           true,
		Versioning:     true,
		BucketPolicy:   true,
		CORS:           true,
		Lifecycle:      true,
		OrderedListing: true,
	},
	{
		// OVHcloud documents its endpoints (ovh/docs, s3_location, February 2026) and its operations
		// (s3_s3_compliancy, November 2024). The table of operations has no CopyObject, no policies
		// and, outside of Local Zones, no forms. Its conditions of writes are as new as June 2026,
		// and s3probe must confirm them. Object locks need a checksum of the body, and no document
		// says which one the server checks. The hosts belong to regions, and not to Local Zones,
		// which have other operations.
		Name:           "ovh",
		isUnsorted:     true,
		Batch:          BatchMD5,
		Hosts:          []string{"s3.{region}.io.cloud.ovh.net", "s3.{region}.perf.cloud.ovh.net"},
		SignedUploads:  SignedUploads{ContentType: true, Size: true},
		CustomerKeys:   true,
		ObjectACLs:     true,
		StorageClasses: true,
		Tags:           true,
		Versioning:     true,
		CORS:           true,
		VirtualHost:    true,
		OrderedListing: true,
	},
	{
		// Scaleway documents at most 1,000 parts for an upload, and policies in a form of its own
		// (scaleway/docs-content, pages/object-storage/api-cli). It documents conditions of PutObject,
		// CopyObject and CompleteMultipartUpload since July 2026, and not that they are atomic, so
		// that s3probe must confirm them. All other fields are those of the profile "unknown".
		Name:           "scaleway",
		isUnsorted:     true,
		Batch:          BatchMD5,
		Hosts:          []string{"s3.{region}.scw.cloud"},
		MaxParts:       1000,
		SignedUploads:  SignedUploads{ContentType: true, Size: true},
		Copy:           true,
		CopyParts:      true,
		CustomerKeys:   true,
		ObjectACLs:     true,
		StorageClasses: true,
		SignedForms:    true,
		Versioning:     true,
		CORS:           true,
		Lifecycle:      true,
		VirtualHost:    true,
		OrderedListing: true,
	},
	{
		// Tigris documents that a bucket has the location Global by default. In a Global bucket, a
		// region sees the writes of other regions only after a delay. So no condition of a write is
		// atomic (https://www.tigrisdata.com/docs/buckets/locations). The index is ordered
		// (https://www.tigrisdata.com/blog/data-layer-foundationdb). All other fields are those of
		// the profile "unknown".
		Name:           "tigris",
		Batch:          BatchMD5,
		Hosts:          []string{"t3.storage.dev", "fly.storage.tigris.dev"},
		Region:         "auto",
		SignedUploads:  SignedUploads{ContentType: true, Size: true},
		Racy:           Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true},
		HidesUploads:   true,
		Copy:           true,
		CopyParts:      true,
		SignedForms:    true,
		Versioning:     true,
		OrderedListing: true,
	},
	{
		// An access point of Amazon is named by its ARN or alias. It belongs to a bucket or to an
		// FSx volume. The profile must fit both. Amazon documents that access points of FSx have no
		// ACLs, versions, conditional writes, classes or presigned URLs. Objects can be copied only
		// inside one access point.
		// https://docs.aws.amazon.com/fsx/latest/ONTAPGuide/access-points-for-fsxn-object-api-support.html
		Name:           accessPointProfile,
		hostless:       true,
		isAccessPoint:  true,
		Batch:          BatchMD5,
		ContentMD5:     true,
		Copy:           true,
		CopyParts:      true,
		VirtualHost:    true,
		NoSigning:      true,
		OrderedListing: true, // if a listing is not in order, the engine ends it with an error
	},
	{
		// This is the careful profile for an unknown server. It declares no conditions, because
		// s3probe must test them first. It declares no checksum header, because some servers refuse
		// that header. It also declares no feature that servers often lack. HidesUploads is set,
		// because the server may be MinIO, which does not list all uploads in progress.
		Name:           "unknown",
		hostless:       true,
		isUnknown:      true,
		Batch:          BatchMD5,
		SignedUploads:  SignedUploads{ContentType: true, Size: true},
		HidesUploads:   true,
		Copy:           true,
		CopyParts:      true,
		SignedForms:    true,
		Versioning:     true,
		OrderedListing: true,
	},
}

// silo is the name of a fork of MinIO. By its own audit of August 2026, it keeps MinIO's S3 protocol
// (https://silo.pigsty.io/compatibility/server/), so it has MinIO's profile.
const silo = "silo"

// NamedProfile returns the profile with a name: aws, spaces, r2, b2, wasabi, minio, ceph, garage,
// seaweedfs, versitygw, omnibucket, gcs, rustfs, ovh, scaleway, tigris, accesspoint or unknown. The
// name silo returns the profile minio.
func NamedProfile(name string) (Profile, bool) {
	if name == silo {
		name = "minio"
	}
	for _, p := range profiles {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}

// row returns the entry of profiles that has the name of p. If there is none, as for the profile of
// a probe, it returns an empty Profile.
func (p *Profile) row() Profile {
	row, _ := NamedProfile(p.Name)
	return row
}

// ProfileNames returns the names that [NamedProfile] knows, sorted.
func ProfileNames() []string {
	names := []string{silo}
	for _, p := range profiles {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// profileAt returns the profile of the server at host. If host is empty, the server is Amazon's.
func profileAt(host string) Profile {
	if host == "" {
		p, _ := NamedProfile("aws")
		return p
	}
	p, _, isKnown := profileOfHost(host)
	if !isKnown {
		p, _ = NamedProfile("unknown")
	}
	return p
}

// regionAt returns the region of a server with profile p. It is the region in the name of the host, or else
// the only region of the profile. It is "" if neither is known, or if host is empty.
func (p *Profile) regionAt(host string) string {
	if host == "" {
		return ""
	}
	region, isHostOfProfile := p.regionOf(host)
	if !isHostOfProfile {
		_, region, _ = profileOfHost(host)
	}
	return cmp.Or(region, p.Region)
}

// isOrderedHost reports whether a host belongs to a provider that is known to list in byte order.
func isOrderedHost(host string) bool {
	p, _, isKnown := profileOfHost(host)
	return isKnown && p.OrderedListing && !p.isUnsorted
}

// profileOfHost returns the built-in profile with a pattern in Hosts that matches host, and the
// region in the host. ok is false if no profile matches.
func profileOfHost(host string) (p Profile, region string, ok bool) {
	for _, p := range profiles {
		if region, ok := p.regionOf(host); ok {
			return p, region, true
		}
	}
	return Profile{}, "", false
}

// isAmazonEndpoint reports whether an endpoint is one of Amazon's, which include the endpoints of a
// VPC and of FIPS.
func isAmazonEndpoint(endpoint string) bool {
	u, ok := address.Endpoint(endpoint)
	if !ok {
		return false
	}
	p, _, ok := profileOfHost(u.Hostname())
	return ok && p.amazon
}

// regionOf returns the region in the name of a host, and reports whether the host matches one of the
// patterns in p.Hosts.
func (p *Profile) regionOf(host string) (region string, ok bool) {
	host = strings.ToLower(host)
	for _, pattern := range p.Hosts {
		if region, ok := hostname.Match(pattern, host); ok {
			return region, true
		}
	}
	return "", false
}

// accessPointProfile names the profile of an access point that may belong to an FSx volume, not to
// a bucket.
const accessPointProfile = "accesspoint"
