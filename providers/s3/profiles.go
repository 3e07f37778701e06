package s3

import (
	"slices"
	"strings"
)

// profiles are what is known of each kind of server, and from where. "Run" is
// what was seen on a server built from source; "docs" is what the provider
// says; what is neither is not declared. A server that speaks SigV4 refuses a
// signed header that was changed, the content type and the content length of a
// presigned upload among them; whether it heeds If-None-Match is another matter.
var profiles = []Profile{
	{
		// Docs: conditional writes (August and November 2024), conditional
		// deletes (September 2025) and copies are enforced; CRC32C of type
		// FULL_OBJECT on uploads in parts.
		Name:           "aws",
		Conditions:     Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true},
		Checksum:       ChecksumFullObject,
		Batch:          BatchChecksum,
		Copy:           true,
		CopyParts:      true,
		CopiedSums:     true,
		ObjectACL:      true, // where the bucket allows them: else AccessControlListNotSupported
		StorageClasses: true,
		SignForms:      true,
		Versioning:     true,
		BucketPolicy:   true,
		CORS:           true,
		Lifecycle:      true,
		Location:       true,
		VirtualHost:    true,
		Hosts:          amazonHosts(),

		OrderedList:   true,
		SignedUploads: SignedUploads{ContentType: true, Size: true, IfAbsent: true},
	},
	{
		// Docs: ACLs of objects, policies, CORS, lifecycle and versioning are
		// there; the bucket's own ACL is the file listing's alone, so that a
		// policy makes public. Public objects are served by the CDN's host
		// where the Space has one. Conditional writes: third parties
		// claim them, nobody confirmed them, so that Probe must. Built on Ceph:
		// an older one takes a CRC32C and does not check it, Content-MD5 it does.
		// Nobody says which release, so that names of metadata have no "_".
		Name:              "spaces",
		ContentMD5:        true,
		Batch:             BatchMD5,
		Copy:              true,
		CopyParts:         true,
		ObjectACL:         true,
		SignForms:         true,
		Versioning:        true,
		BucketPolicy:      true,
		CORS:              true,
		Lifecycle:         true,
		VirtualHost:       true,
		EscapeUnderscores: true,
		Hosts:             []string{"{region}.digitaloceanspaces.com"},
		PublicURL:         "https://{bucket}.{region}.cdn.digitaloceanspaces.com/",

		OrderedList:   true,
		SignedUploads: SignedUploads{ContentType: true, Size: true},
	},
	{
		// Docs: conditions on PutObject and CompleteMultipartUpload; a copy's
		// own only by cf-copy-destination-if-*, and none on deletes; parts of
		// one size; a CRC32C of an upload in parts is COMPOSITE; no ACLs, no
		// POST policies, no versions, no policies; the S3 address serves nobody
		// without credentials; one Put stays 5 MiB below 5 GiB.
		Name:           "r2",
		Conditions:     Conditions{Create: true, Update: true, Complete: true},
		Checksum:       ChecksumHeader,
		EqualParts:     true,
		Batch:          BatchMD5,
		Copy:           true,
		CopyParts:      true,
		StorageClasses: true,
		CORS:           true,
		Lifecycle:      true,
		Hosts:          []string{"*.r2.cloudflarestorage.com"},
		Region:         "auto",
		PublicURL:      "none",
		MaxPutSize:     maxPutSize - minPartSize,

		OrderedList:   true,
		SignedUploads: SignedUploads{ContentType: true, Size: true, IfAbsent: true},
	},
	{
		// Docs: the bucket's ACL alone makes public; every bucket keeps
		// versions. Issues of its users (2025, 2026): x-amz-checksum-* is
		// refused as an unsupported header, If-None-Match as not implemented.
		Name:        "b2",
		ContentMD5:  true,
		Batch:       BatchMD5,
		Copy:        true,
		CopyParts:   true,
		Versioning:  true,
		BucketACL:   true,
		CORS:        true,
		VirtualHost: true,
		Hosts:       []string{"s3.{region}.backblazeb2.com"},

		OrderedList:   true,
		SignedUploads: SignedUploads{ContentType: true, Size: true},
	},
	{
		// Docs: path style is what they advise; public access is for paid
		// accounts, by policy or ACL. Issues of its users (2025): every
		// flexible checksum was refused. Conditions: claimed by third parties,
		// not confirmed.
		Name:         "wasabi",
		ContentMD5:   true,
		Batch:        BatchMD5,
		Copy:         true,
		CopyParts:    true,
		ObjectACL:    true,
		SignForms:    true,
		Versioning:   true,
		BucketPolicy: true,
		Lifecycle:    true,
		Location:     true,
		Hosts:        []string{"s3.{region}.wasabisys.com", "s3.wasabisys.com"},

		OrderedList:   true,
		SignedUploads: SignedUploads{ContentType: true, Size: true},
	},
	{
		// Run (source of February 2026): If-None-Match and If-Match hold on Put
		// and Complete, with one winner of 16; on CopyObject and DeleteObject
		// they are ignored, single and in batches. A part that is copied into an
		// upload with a checksum is 400. An update of a missing key is
		// 404 since August 2025: before that it wrote, and such a server needs a
		// profile of Probe's. CORS of a bucket is 501, an object's ACL a stub,
		// and a lifecycle loses AbortIncompleteMultipartUpload. With a delimiter
		// other than "/" it repeats pages.
		Name:           "minio",
		Conditions:     Conditions{Create: true, Update: true, Complete: true},
		Checksum:       ChecksumFullObject,
		Batch:          BatchMD5,
		Copy:           true,
		CopyParts:      true,
		StorageClasses: true,
		SignForms:      true,
		Versioning:     true,
		BucketPolicy:   true,
		Lifecycle:      true,
		Hosts:          []string{"play.min.io"},

		OrderedList:    true,
		SignedUploads:  SignedUploads{ContentType: true, Size: true, IfAbsent: true},
		SlashDelimiter: true,
		TokenAfterLast: true,
		ShortSegments:  true,
	},
	{
		// Docs and its conformance tests: conditions on Put are old, on
		// Complete they came in 2025 (pull request 64830) and on deletes too
		// (63348), which an endpoint does not tell. A CRC32C is checked from
		// Squid on, Content-MD5 always. Until Quincy "_" in a name of metadata
		// comes back as "-" (ceph/ceph pull request 38737).
		Name:              "ceph",
		ContentMD5:        true,
		Batch:             BatchMD5,
		Copy:              true,
		CopyParts:         true,
		ObjectACL:         true,
		StorageClasses:    true,
		SignForms:         true,
		Versioning:        true,
		BucketPolicy:      true,
		CORS:              true,
		Lifecycle:         true,
		EscapeUnderscores: true,

		OrderedList:   true,
		SignedUploads: SignedUploads{ContentType: true, Size: true},
	},
	{
		// Docs: no ACLs, no versions, no policies; a bucket is made public as a
		// website, outside of S3. Replicas agree later, so that no condition on
		// a write could be atomic.
		Name:       "garage",
		ContentMD5: true,
		Batch:      BatchMD5,
		Copy:       true,
		CopyParts:  true,
		SignForms:  true,
		CORS:       true,
		Lifecycle:  true,
		Region:     "garage", // what its configuration has unless it was changed
		PublicURL:  "none",

		OrderedList:   true,
		SignedUploads: SignedUploads{ContentType: true, Size: true},
		Racy:          Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true},
	},
	{
		// Its changes: conditions since August 2025, atomic since March 2026;
		// before that the object was overwritten. A CRC32C is kept since April
		// 2026, whole for parts since July 2026. An endpoint tells no version.
		// Run (4.44): it lists like a directory tree, all of a/ before a-b, and with
		// start-after it leaves folders out.
		Name:         "seaweedfs",
		ContentMD5:   true,
		Batch:        BatchMD5,
		Copy:         true,
		CopyParts:    true,
		SignForms:    true,
		Versioning:   true,
		BucketPolicy: true,
		CORS:         true,
		Lifecycle:    true,

		SignedUploads: SignedUploads{ContentType: true, Size: true},
		ShortSegments: true,
	},
	{
		// Run (v1.8.0 over a file system): conditions hold on Put and Complete, with
		// one winner of 16; DeleteObject looks first and removes later, and took what
		// was written in between; on CopyObject and in batches they are ignored, and
		// create-only over a delete marker fails. The sum of an object of copied
		// ranges is wrong. Lifecycle is 501.
		Name:         "versitygw",
		Conditions:   Conditions{Create: true, Update: true, Complete: true},
		Checksum:     ChecksumFullObject,
		Batch:        BatchMD5,
		Copy:         true,
		CopyParts:    true,
		SignForms:    true,
		Versioning:   true,
		BucketPolicy: true,
		CORS:         true,

		OrderedList:    true,
		SignedUploads:  SignedUploads{ContentType: true, Size: true, IfAbsent: true},
		TokenAfterLast: true,
		Racy:           Conditions{Remove: true},
		ShortSegments:  true,
	},
	{
		// Issues of its users: the XML API has no DeleteObjects, ignores
		// If-Match and If-None-Match on a Put, and its front end rewrites
		// Accept-Encoding. Docs: a canned ACL where access is not uniform;
		// x-goog- headers of its own rather than x-amz-checksum and classes.
		Name:             "gcs",
		ContentMD5:       true,
		Copy:             true,
		ObjectACL:        true,
		Hosts:            []string{"storage.googleapis.com"},
		Region:           "auto",
		UnsignedEncoding: true,

		OrderedList:   true,
		SignedUploads: SignedUploads{ContentType: true, Size: true},
	},
	{
		// An access point at Amazon, by its ARN or its alias, may lead to a volume
		// of FSx instead of a bucket. Docs of FSx: no ACLs, versions, conditional
		// writes, classes or presigned URLs; copies inside one access point only.
		// https://docs.aws.amazon.com/fsx/latest/ONTAPGuide/access-points-for-fsxn-object-api-support.html
		Name:        accessPointProfile,
		ContentMD5:  true,
		Batch:       BatchMD5,
		Copy:        true,
		CopyParts:   true,
		VirtualHost: true,
		NoSigning:   true,
		OrderedList: true, // the core ends a listing that is not
	},
	{
		// The careful one: no conditions until Probe has proved them, sums that
		// every server has checked since S3 is there, nothing that is often
		// missing.
		Name:       "unknown",
		ContentMD5: true,
		Batch:      BatchMD5,
		Copy:       true,
		CopyParts:  true,
		SignForms:  true,
		Versioning: true,

		OrderedList:   true,
		SignedUploads: SignedUploads{ContentType: true, Size: true},
	},
}

// NamedProfile is the profile of that name: aws, spaces, r2, b2, wasabi, minio,
// ceph, garage, seaweedfs, versitygw, gcs, accesspoint or unknown.
func NamedProfile(name string) (Profile, bool) {
	for _, p := range profiles {
		if p.Name == name {
			return p, true
		}
	}
	return Profile{}, false
}

// profileAt is the profile of a server and the region that its host tells, or
// that the profile has; given is the user's choice, and "" Amazon's own host.
func profileAt(given *Profile, host string) (p Profile, region string) {
	p, region, known := profileOfHost(host)
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
	return p, region
}

// regionLabel stands for a region in Profile.Hosts.
const regionLabel = "{region}"

// profileOfHost is the profile that host is known by.
func profileOfHost(host string) (p Profile, region string, known bool) {
	for _, p := range profiles {
		if region, ok := p.regionOf(host); ok {
			return p, region, true
		}
	}
	return Profile{}, "", false
}

// amazonEndpoint reports whether an endpoint is one of Amazon's own: a VPC's, a
// FIPS one.
func amazonEndpoint(endpoint string) bool {
	u, err := parseEndpoint(endpoint)
	if err != nil {
		return false
	}
	p, _, known := profileOfHost(u.Hostname())
	return known && p.Name == "aws"
}

// regionOf reports whether host is one of the profile's, and its region.
func (p *Profile) regionOf(host string) (region string, known bool) {
	for _, pattern := range p.Hosts {
		if region, ok := matchHost(pattern, strings.ToLower(host)); ok {
			return region, true
		}
	}
	return "", false
}

// matchHost compares label by label from the end; a leading "*" takes all that
// is left, at least one label. "{region}" may end a label.
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
			var ours bool
			if region, ours = strings.CutPrefix(have[i], strings.TrimSuffix(label, regionLabel)); !ours || region == "" {
				return "", false
			}
		case label != have[i]:
			return "", false
		}
	}
	return region, len(want) == len(have)
}
