package rights

import "slices"

// A requirement has the operations that one kind of call needs, by their names in package permissions.
// Options of the call may add operations. They may also replace the operations in plain.
type requirement struct {
	plain   []string            // operations of a call without a condition
	always  []string            // operations of every call
	instead map[string][]string // operations that replace requirement.plain, by the name of the option
	with    map[string][]string // additional operations, by the name of the option
}

func names(all ...string) []string { return all }

// written has the additional operations for each option of an upload. For example, an upload with
// WithTags also needs the operation upload-with-tags.
var written = map[string][]string{
	"WithTags":       names("upload-with-tags"),
	"WithRetention":  names("upload-with-retention"),
	"WithLegalHold":  names("upload-with-legal-hold"),
	"WithPublicRead": names("upload-public"),
	"WithACL":        names("upload-public"),
	"WithKMSKey":     names("upload-encrypted", "upload-parts-encrypted"),
	"WithResume":     names("upload-resumed"),
}

// conditions has the operations of a conditional write, by the name of the option. A write without
// a condition has other operations. IfAbsent also needs the right to read. If the response to the
// write is lost, the library reads the object to see whether the write succeeded.
var conditions = map[string][]string{
	"IfAbsent":   names("upload-if-absent", "upload-if-absent-lost"),
	"IfRevision": names("upload-if-revision"),
}

var (
	none = &requirement{}

	// An analysis does not know the size of a body, so every upload may be sent in parts.
	upload = &requirement{
		plain:   names("upload", "upload-over"),
		always:  names("upload-parts", "upload-parts-failed"),
		instead: conditions,
		with:    written,
	}
	// A signed upload is one request, which is made by whoever has the URL.
	signUpload = &requirement{
		plain:   names("upload", "upload-over"),
		always:  names("sign"),
		instead: map[string][]string{"IfAbsent": names("upload-if-absent"), "IfRevision": names("upload-if-revision")},
		with:    written,
	}
	openUpload = &requirement{always: names("open-upload"), with: written}
	signPart   = &requirement{always: names("sign", "open-upload")}
	signedPart = &requirement{always: names("upload-parts")}
	abort      = &requirement{always: names("abort-upload")}

	download = &requirement{
		plain:   names("download", "download-missing"),
		instead: map[string][]string{"WithVersion": names("download-version")},
	}
	signDownload = &requirement{
		plain:   names("download"),
		always:  names("sign"),
		instead: map[string][]string{"WithVersion": names("download-version")},
	}
	signRemoval = &requirement{
		plain:   names("remove"),
		always:  names("sign"),
		instead: map[string][]string{"WithVersion": names("remove-version")},
	}
	list          = &requirement{always: names("list")}
	files         = &requirement{always: names("list", "download", "download-missing")}
	versions      = &requirement{always: names("list-versions")}
	listUploads   = &requirement{always: names("list-uploads")}
	remove        = &requirement{plain: names("remove"), instead: removals, with: bypassed}
	removeAll     = &requirement{always: names("remove-all")}
	removeFound   = &requirement{always: names("list", "remove-all")}
	removeVersion = &requirement{always: names("remove-version", "remove-all")}

	copyInside = &requirement{
		plain:   names("copy-tagged", "upload-over"),
		always:  names("copy", "upload-parts", "upload-parts-failed"),
		instead: conditions,
		with:    copied,
	}
	copyTo = &requirement{
		plain:   names("upload", "upload-over", "upload-with-tags"),
		always:  names("upload-parts", "upload-parts-failed"),
		instead: tagged(conditions),
		with:    written,
	}
	copyFrom = &requirement{
		plain:   names("download"),
		always:  names("download-missing", "tags"),
		instead: map[string][]string{"WithVersion": names("download-version")},
	}
	move = &requirement{
		plain:   names("copy-tagged", "upload-over"),
		always:  names("move", "upload-parts", "upload-parts-failed"),
		instead: conditions,
		with:    copied,
	}
	compose  = &requirement{plain: names("upload-over"), always: names("compose"), instead: conditions, with: written}
	appended = &requirement{always: names("append"), with: written}
	update   = &requirement{always: names("update", "download-missing", "upload-if-absent-lost"), with: written}

	tags      = &requirement{always: names("tags")}
	setTags   = &requirement{always: names("add-tags", "change-tags", "remove-tags")}
	retention = &requirement{
		plain:   names("set-retention"),
		instead: map[string][]string{"WithGovernanceBypass": names("set-retention-bypass")},
	}
	legalHold = &requirement{always: names("set-legal-hold")}
	restore   = &requirement{always: names("restore")}

	listBuckets  = &requirement{always: names("list-buckets")}
	bucketInfo   = &requirement{always: names("bucket-info")}
	createBucket = &requirement{always: names("create-bucket"), with: map[string][]string{
		"WithVersioning":   names("create-bucket-versioning"),
		"WithCORS":         names("create-bucket-cors"),
		"WithLifecycle":    names("create-bucket-lifecycle"),
		"WithPublicAccess": names("create-bucket-public"),
		"WithObjectLock":   names("create-bucket-lock"),
	}}
	updateBucket = &requirement{always: names("bucket-info"), with: map[string][]string{
		"WithVersioning":   names("update-bucket-versioning"),
		"WithCORS":         names("update-bucket-cors"),
		"WithLifecycle":    names("update-bucket-lifecycle"),
		"WithPublicAccess": names("update-bucket-public", "update-bucket-private"),
	}}
	deleteBucket = &requirement{always: names("delete-bucket")}

	anything = &requirement{always: names(Anything)}
)

var (
	removals = map[string][]string{"IfRevision": names("remove-if-revision"), "WithVersion": names("remove-version")}
	bypassed = map[string][]string{"WithGovernanceBypass": names("remove-version-bypass")}
	// copied has the additional operations for each option of a copy. WithTags has two operations. The second one is for WithTags(nil), which makes a copy without tags.
	copied = map[string][]string{
		"WithTags":               names("copy-with-tags", "copy-without-tags"),
		"WithRetention":          names("upload-with-retention"),
		"WithLegalHold":          names("upload-with-legal-hold"),
		"WithPublicRead":         names("upload-public"),
		"WithACL":                names("upload-public"),
		"WithVersion":            names("download-version"),
		"WithKMSKey":             names("upload-encrypted", "upload-parts-encrypted"),
		"WithResume":             names("upload-resumed"),
		"WithContentType":        names("copy-with-properties"),
		"WithMetadata":           names("copy-with-properties"),
		"WithCacheControl":       names("copy-with-properties"),
		"WithContentEncoding":    names("copy-with-properties"),
		"WithContentDisposition": names("copy-with-properties"),
		"WithContentLanguage":    names("copy-with-properties"),
		"WithStorageClass":       names("copy-with-properties"),
	}
)

// tagged returns a copy of the map with upload-with-tags added to each condition, because every
// copy of an object also sets its tags.
func tagged(conditions map[string][]string) map[string][]string {
	withTags := map[string][]string{}
	for option, operations := range conditions {
		withTags[option] = append(names("upload-with-tags"), operations...)
	}
	return withTags
}

// Anything stands for all operations. It is for a program that uses a bucket in unknown ways, for
// example by reflection.
const Anything = "anything"

// unknownOptions means that the options of a call are not known.
const unknownOptions = false

// operations returns the operations of a call with the given options. If known is false, the call may
// have any options, and the result has the operations for each of them.
func (r *requirement) operations(options []string, known bool) []string {
	mayHave := func(option string) bool { return !known || slices.Contains(options, option) }
	all := slices.Clone(r.always)

	// A call without options needs r.plain. The options in r.instead replace these operations.
	isReplaced := false
	for option, operations := range r.instead {
		if mayHave(option) {
			all = append(all, operations...)
			isReplaced = true
		}
	}
	// A call whose options are not known may also have none of these.
	if !isReplaced || !known {
		all = append(all, r.plain...)
	}

	// The options in r.with add operations.
	for option, operations := range r.with {
		if mayHave(option) {
			all = append(all, operations...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
