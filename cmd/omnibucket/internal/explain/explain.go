// Package explain translates errors of the library for users of the command line, who do not use
// Go.
package explain

import (
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/internal/localfile"
)

var (
	// goName matches the Go names in errors of the library: options such as WithDelete and
	// WithVersioning(true), conditions such as IfAbsent, fields such as Config.Profile, and
	// functions. Names of S3, such as PutBucketEncryption, do not match.
	goName = regexp.MustCompile(`\b(With[A-Z]\w*(?:\(true\))?|If[A-Z]\w*|[A-Za-z]\w*\.[A-Z]\w*|` +
		`(?:SetLegalHold|SetRetention|SetTags|UpdateBucket|ListPage|ListUploads|AbortUpload|BeginUpload|RemoveVersions|SignedUpload(?:URL|Form)|OpenService)\b)`)
	// alternative matches the text between two pieces of advice in a hint, such as " or ".
	alternative = regexp.MustCompile(`,? or |, as |; `)
)

// parameters maps a Go name to the text that replaces the name in a hint. The text is a parameter
// of an address, such as "public=true", or a command.
var parameters = map[string]string{
	"Attrs.Restore":   `"omnibucket stat"`,
	"mirror.Repair":   `"omnibucket repair"`,
	"storage.Restore": `"omnibucket restore --days"`,

	"WithPublicAccess":     "public=true",
	"WithPublicBaseURL":    "public_base_url=",
	"WithSigningBaseURL":   "signing_base_url=",
	"WithVersioning":       "versions=true",
	"Config.APIVersion":    "api_version=",
	"Config.Account":       "account=",
	"Config.Anonymous":     "anonymous=true",
	"Config.BucketKey":     "bucket_key=true",
	"Config.CDN":           "cdn=true",
	"Config.Create":        "create=true",
	"Config.Endpoint":      "endpoint=",
	"Config.KMSKey":        "kms_key=",
	"Config.Profile":       "profile=",
	"Config.Project":       "project=",
	"Config.Region":        "region=",
	"Config.RequesterPays": "request_payer=requester",
	"Config.SigningKey":    "signing_key=",
	"Config.UserProject":   "user_project=",

	"Config.ExpectedBucketOwner":   "expected_bucket_owner=",
	"Config.HierarchicalNamespace": "hierarchical_namespace=true",
	"Config.VendRole":              "vend_role=",
}

// flagNames maps an option to its flag, if the flag's name cannot be derived from the option's
// name.
var flagNames = map[string]string{
	"WithBackup":                     "backup-dir",
	"WithDefaultRetention":           "retention",
	"WithDownloadName":               "filename",
	"WithMissingOnly":                "ignore-existing",
	"WithModifiedAfter":              "newer",
	"WithModifiedBefore":             "older",
	"WithPrimaryRight":               "primary-is-right",
	"WithPublicAccess":               "public",
	"WithPublicRead":                 "public",
	"WithResponseContentDisposition": "disposition",
	"WithResponseContentType":        "content-type",
	"WithSoftDelete":                 "soft-delete",
	"WithTags":                       "tag",
	"WithRestoreDays":                "days",
	"WithRestoreTier":                "tier",
	"WithVersioning":                 "versioned",
}

const newLocking = "make a bucket that can lock objects by \"omnibucket mb\", with object_lock=true in its address"

const removeAll = "\"omnibucket rb --force\" also removes old versions and unfinished uploads"

const signingHint = "set signing_base_url= in the address; \"omnibucket sign --help\" has an example"

// shellHints translates hints of the library for users of the command line. The keys are hints that
// help only in a Go program.
var shellHints = map[string]string{
	"open the bucket with WithSigningBaseURL, or signing_base_url in its address, where the handler of package serve is mounted": signingHint,

	"to create the directory, set Config.Create or create=true in the address":                      "to create the directory, set create=true in the address; a key stands after #, as in file:///directory#key",
	"check the bucket's name, account, region and endpoint, or create it with Service.CreateBucket": "check the bucket's name, account, region and endpoint, or create it with \"omnibucket mb\"",
	"import the package that registers the scheme":                                                  location.AddressHint,
	"the bucket cannot lock objects: make it with WithObjectLock":                                   newLocking,
	"this server gives object lock only to new buckets: create one WithObjectLock":                  newLocking,
	"make the bucket with WithObjectLock":                                                           "name the bucket once with object_lock=true in its address: it then keeps versions, and can lock objects from then on",
	"if the object was stored without encryption, encrypt.Config.AllowPlain permits reading it":     "if the object was stored without encryption, allow_plain: true of the layer encrypt permits reading it",
	"if the bucket keeps versions, open it with WithVersioning(true) or versions=true":              "if the bucket keeps versions, set versions=true in the address; \"omnibucket bucket --versioning on\" keeps them from now on",

	"leave profile out for other servers; to select credentials in the files of AWS, set AWS_PROFILE": "leave profile out for other servers; to select credentials in the files of AWS, use --aws-profile",

	"check OMNIBUCKET_CONFIG": "check --config and OMNIBUCKET_CONFIG",

	"this call may have created the bucket, without its settings: call UpdateBucket with them":                     "this call may have created the bucket, without its settings: set them with \"omnibucket bucket\"",
	"the bucket exists, and the store puts its settings off: call UpdateBucket with these options in some minutes": "the bucket exists, and the store puts its settings off: set them with \"omnibucket bucket\" in some minutes",
	"the bucket has open uploads: list them with ListUploads, and abort them with AbortUpload":                     removeAll,
	"the bucket has noncurrent versions: remove them with RemoveVersions":                                          removeAll,
	"end the hold with SetLegalHold": "end the hold with the program that set it, or with the provider's own tools",

	"if List shows nothing, remove noncurrent versions (RemoveVersions), open uploads (ListUploads, AbortUpload), parts that a process left (gcs.SweepParts), and the folders of a hierarchical namespace": removeAll,

	"Google's buckets have no default retention of objects: write with WithRetention, or give the bucket a retention policy, which keeps old objects too and has no modes": "give the bucket a retention policy by Google's own tools: it keeps old objects too, and has no modes",
}

// unsupportedCall matches the part of an error that says which function, such as SignedUploadURL,
// is not supported.
var unsupportedCall = regexp.MustCompile(` does not support ((?:[A-Z][a-z]+)+(?:URL)?) here`)

var wordStart = regexp.MustCompile(`([a-z])([A-Z])`)

// flagOf returns the name of the flag for an option, such as content-type for WithContentType.
func flagOf(option string) string {
	if name, ok := flagNames[option]; ok {
		return name
	}
	return strings.ToLower(wordStart.ReplaceAllString(strings.TrimPrefix(option, "With"), "$1-$2"))
}

// translateNames replaces the Go names in a text by flags of a command or by parameters of addresses, if there are any
// for them.
func translateNames(command *cobra.Command, text string) string {
	text = goName.ReplaceAllStringFunc(text, func(name string) string {
		// goName also matches the argument of an option, as in WithVersioning(true).
		name = strings.TrimSuffix(name, "(true)")
		flag := flagOf(name)
		hasFlag := command != nil && command.Flag(flag) != nil
		if hasFlag {
			return "--" + flag
		}
		if parameter, ok := parameters[name]; ok {
			return parameter
		}
		return name
	})

	// A hint such as "WithVersioning(true) or versions=true" now has the parameter twice, so keep one.
	for _, p := range parameters {
		text = strings.NewReplacer(p+" or "+p, p, p+", "+p, p, p+" ("+p+")", p).Replace(text)
	}
	return text
}

// translateHint rewrites a hint of the library for users of a command. It leaves out the alternatives that need Go, and
// returns "" if the first one does.
func translateHint(command *cobra.Command, hint string) string {
	if text, ok := shellHints[hint]; ok {
		return text
	}

	var b strings.Builder
	for i, advice := range splitAlternatives(translateNames(command, hint)) {
		needsGo := goName.MatchString(advice)
		if !needsGo {
			b.WriteString(advice)
			continue
		}
		if i == 0 {
			return ""
		}
	}
	return b.String()
}

// splitAlternatives splits a hint before each separator, such as " or ", so that each alternative can be left out.
func splitAlternatives(hint string) []string {
	var pieces []string
	start := 0
	for _, separator := range alternative.FindAllStringIndex(hint, -1) {
		end := separator[0]
		pieces = append(pieces, hint[start:end])
		start = end
	}
	return append(pieces, hint[start:])
}

// An Explanation is an error for users of a command. It says what happened and what to do.
type Explanation struct {
	What     string   // one line for each error
	Hints    []string // without duplicates
	Requests []string // ids of failed requests, with --verbose
}

// addHint adds a hint, unless it is empty or a duplicate.
func (x *Explanation) addHint(hint string) {
	if hint != "" && !slices.Contains(x.Hints, hint) {
		x.Hints = append(x.Hints, hint)
	}
}

// Error explains err to users of a command: it replaces Go names by flags, or removes them. With verbose, it keeps
// everything that the server and its SDK report.
func Error(command *cobra.Command, err error, verbose bool) Explanation {
	x := Explanation{What: err.Error()}
	eachError(err, func(storageErr *storage.Error) {
		text := withoutGo(command, storageErr)
		if verbose && storageErr.RequestID != "" {
			x.Requests = append(x.Requests, storageErr.RequestID)
		}
		if !verbose {
			text = withoutNoise(storageErr, text)
		}
		x.What = strings.ReplaceAll(x.What, storageErr.Error(), text)
		x.addHint(translateHint(command, hintOf(storageErr)))
	})

	// An error of this machine, such as a failed write to standard output, need not be a storage.Error.
	x.addHint(localfile.ErrorHint(err))
	return x
}

// withoutGo returns the text of an error without the hint and the names of Go packages, functions and options.
func withoutGo(command *cobra.Command, err *storage.Error) string {
	text := strings.TrimSuffix(err.Error(), " ("+err.Hint+")")
	text = strings.TrimPrefix(text, "storage: ")
	if err.Op != "" {
		text = withoutOp(text, err.Op)
	}

	// Only errors with these codes have names of Go in their reasons.
	hasNames := err.Code == storage.InvalidArgument || err.Code == storage.Unsupported
	if hasNames && err.Err != nil {
		reason := err.Err.Error()
		text = strings.ReplaceAll(text, ": "+reason, ": "+translateNames(command, withoutCalls(reason)))
	}
	return text
}

// withoutOp removes the name of a function, which a colon or a space follows, from the beginning of an error's text.
func withoutOp(text, op string) string {
	rest, ok := strings.CutPrefix(text, op)
	if !ok {
		return text
	}
	if strings.HasPrefix(rest, ":") || strings.HasPrefix(rest, " ") {
		return strings.TrimLeft(rest, ": ")
	}
	// This is a longer word, which only begins with the name.
	return text
}

// noise matches text that an SDK adds to a server's message, such as the id of the request.
var noise = regexp.MustCompile(strings.Join([]string{
	`operation error [\w ]+: \w+, `,
	`exceeded maximum number of [\w ]+, \d+, `,
	`https? response error StatusCode: \d+, `,
	`(?:Get|Head|Put|Post|Delete) "[^"]*": `,
	`RequestID: [^,]*, `,
	`HostID: [^,]*, `,
	`request send failed, `,
	`api error `,
	`googleapi: (?:got HTTP response code \d+ with body: |Error \d+: )`,
	`storage: (?:object|bucket) doesn't exist: `,
}, "|"))

// withoutNoise returns the text of an error without what only the operator of a server needs. If the code of the error
// says enough, that is the whole cause. Otherwise it is what SDKs add to the cause, such as the id of the request.
func withoutNoise(err *storage.Error, text string) string {
	if err.Err == nil {
		return text
	}

	// The text usually ends in the cause.
	cause := err.Err.Error()
	isFromServer := err.Status != 0
	if isFromServer && saysEverything(err.Code) {
		return strings.TrimSuffix(text, ": "+cause)
	}
	if strings.Contains(text, cause) {
		shortCause := strings.TrimSuffix(noise.ReplaceAllString(cause, ""), ": ")
		return strings.Replace(text, cause, shortCause, 1)
	}

	// The text has another form of the cause, in which secrets are masked. It follows the code.
	code := string(err.Code) + ": "
	head, maskedCause, _ := strings.Cut(text, code)
	shortCause := noise.ReplaceAllString(maskedCause, "")
	return strings.TrimSuffix(head+code+shortCause, ": ")
}

// saysEverything reports whether an error with this code is clear without its cause.
func saysEverything(code storage.Code) bool {
	switch code {
	case storage.ObjectNotFound, storage.BucketNotFound, storage.PreconditionFailed,
		storage.BucketExists, storage.BucketNotEmpty:
		return true
	}
	return false
}

// refusal matches the error of a connection that was refused, as Unix and Windows write it.
var refusal = regexp.MustCompile(`connection refused|actively refused`)

// hintOf returns the hint of an error, or one of its own for a refused connection, which has none.
func hintOf(err *storage.Error) string {
	if err.Hint == "" && err.Code == storage.Unavailable && err.Err != nil && refusal.MatchString(err.Err.Error()) {
		return "no program accepts connections there: check the endpoint, and that the server runs"
	}
	return err.Hint
}

// withoutCalls replaces the name of an unsupported function by words, such as SignedUploadURL by "signed upload URL".
func withoutCalls(text string) string {
	return unsupportedCall.ReplaceAllStringFunc(text, func(value string) string {
		call := unsupportedCall.FindStringSubmatch(value)[1]
		// translateNames replaces the name of an option by a flag.
		if strings.HasPrefix(call, "With") || strings.HasPrefix(call, "If") {
			return value
		}
		words := strings.ToLower(wordStart.ReplaceAllString(call, "$1 $2"))
		return " does not support " + strings.Replace(words, " url", " URL", 1) + " here"
	})
}

// eachError calls visit for each [storage.Error] among err and the errors that it wraps.
func eachError(err error, visit func(*storage.Error)) {
	if storageErr, ok := err.(*storage.Error); ok {
		visit(storageErr)
	}

	switch e := err.(type) {
	case interface{ Unwrap() error }:
		eachError(e.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			eachError(inner, visit)
		}
	}
}
