package rights

import (
	"go/constant"
	"go/types"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"

	"github.com/omnibucket/storage/analyzers/permissions/internal/flow"
)

// A Bucket is a bucket. With a Prefix, it is the part of a bucket whose keys begin with the prefix.
type Bucket struct {
	// Name identifies the bucket. It is an address without parameters, the word "location" with the
	// name of a location, or a description of an unknown bucket.
	Name    string
	Prefix  string
	Unknown bool
	open    *ssa.Call
	kms     bool // whether the address names a key of the provider's key management service
}

// A text for a Bucket begins with UnknownPrefix if the bucket is unknown. It begins with
// LocationPrefix if the bucket is a location of the configuration.
const (
	UnknownPrefix  = "unknown bucket: "
	LocationPrefix = "location "
)

// String returns the name of the bucket and its prefix.
func (b Bucket) String() string {
	if b.Unknown {
		return UnknownPrefix + b.withPrefix(" ")
	}
	return b.withPrefix("/")
}

// AtAddress returns the bucket of an address. prefix is added to the prefix in the address.
func AtAddress(address, prefix string) Bucket {
	b := fromAddress(address)
	b.Prefix += prefix
	return b
}

// withPrefix returns the name of the bucket, with the prefix after the separator if there is one.
func (b Bucket) withPrefix(separator string) string {
	if b.Prefix == "" {
		return b.Name
	}
	return strings.TrimSuffix(b.Name, separator) + separator + b.Prefix
}

// openedBuckets returns the buckets that a call of the library can open. It returns several if the
// address is not constant, and an unknown bucket if the call is not one of those listed here.
func (d *deriver) openedBuckets(call *ssa.Call, stack string) []Bucket {
	name := calleeName(call.Common())
	args := call.Call.Args
	switch name {
	case "storage.Open", "storage.OpenService":
		return d.bucketsAtAddress(call, args[1], stack, "")
	case "storage/locations.Open", "storage/locations.OpenService":
		return d.bucketsAtAddress(call, args[1], stack, LocationPrefix)
	case "(*storage/locations.Config).Open", "(*storage/locations.Config).OpenService":
		// The first argument is the receiver.
		return d.bucketsAtAddress(call, args[2], stack, LocationPrefix)
	case "storage/memstore.New", "storage/memstore.NewDriver", "storage/memstore.NewService",
		"storage/memstore.NewServiceDriver":
		return []Bucket{{Name: "memory in " + functionName(call.Parent()), open: call}}
	case "storage/providers/local.Open", "storage/providers/local.NewDriver", "storage/providers/local.NewService",
		"storage/providers/local.NewServiceDriver":
		return d.bucketsOfText(call, text{args[0], -1}, stack, func(path string) Bucket {
			return Bucket{Name: "file://" + path}
		})
	case "(storage.Service).Bucket":
		return d.bucketsOfService(call, stack)
	case "storage/transfer.Dir":
		return nil // a local directory needs no rights
	case "storage.Prefixed":
		return d.prefixedBuckets(call, stack)
	}

	if account := accounts[name]; account != "" {
		return []Bucket{{Name: account, open: call}}
	}
	if scheme := schemes[name]; scheme != "" {
		return d.bucketsOfConfig(call, args[1], stack, scheme)
	}
	return []Bucket{unknownBucket(call)}
}

// schemes maps the names of functions to the schemes of bucket addresses. Each function opens one
// bucket by a Config.
var schemes = map[string]string{
	"storage/providers/s3.Open":         "s3://",
	"storage/providers/s3.NewDriver":    "s3://",
	"storage/providers/gcs.Open":        "gs://",
	"storage/providers/gcs.NewDriver":   "gs://",
	"storage/providers/azure.Open":      "azblob://",
	"storage/providers/azure.NewDriver": "azblob://",
}

// accounts maps the names of functions to the schemes of bucket addresses. Each function opens an
// account with all its buckets.
var accounts = map[string]string{
	"storage/providers/s3.NewService":          "s3://",
	"storage/providers/s3.NewServiceDriver":    "s3://",
	"storage/providers/gcs.NewService":         "gs://",
	"storage/providers/gcs.NewServiceDriver":   "gs://",
	"storage/providers/azure.NewService":       "azblob://",
	"storage/providers/azure.NewServiceDriver": "azblob://",
}

// unknownBucket returns a bucket for a call that opens one whose address is not known. The bucket has
// the name of the called function.
//
// If a function has several such calls, the second and later ones have a number in the name.
func unknownBucket(call *ssa.Call) Bucket {
	name := shortName(call.Common())
	number := 1
	for _, block := range call.Parent().Blocks {
		for _, instruction := range block.Instrs {
			other, isCall := instruction.(*ssa.Call)
			if !isCall || other.Pos() >= call.Pos() {
				continue
			}
			// The bucket of a call with a constant text is known, so it has no number.
			hasSameName := shortName(other.Common()) == name
			if hasSameName && !hasText(other) {
				number++
			}
		}
	}
	if number > 1 {
		name += " " + strconv.Itoa(number)
	}
	return Bucket{
		Name:    name + " in " + functionName(call.Parent()),
		Unknown: true,
		open:    call,
	}
}

// hasText reports whether a call has a constant text, such as an address, among its arguments.
func hasText(call *ssa.Call) bool {
	return slices.ContainsFunc(call.Call.Args, func(arg ssa.Value) bool {
		c, ok := arg.(*ssa.Const)
		return ok && c.Value != nil && c.Value.Kind() == constant.String
	})
}

// A text is a string in the program, such as the address of a bucket. It is a value or, if field is not
// -1, the field of a struct.
type text struct {
	value ssa.Value
	field int
}

// origins returns the origins of a text in a function to which the calls of stack have led.
func (d *deriver) origins(t text, stack string) []flow.Origin {
	if t.field < 0 {
		return d.graph.Trace(t.value, stack)
	}
	return d.graph.Field(t.value, t.field, stack)
}

// unknownBuckets returns the buckets of a call that opens a bucket with an unknown address. The function
// around the call may get the address from its callers. It then has one bucket for each caller that
// passes an unknown address, because each of them may mean another bucket.
//
// All buckets but the first have the position of the caller in their names, so that the names
// differ. If the stack is not empty, only the caller in the stack counts.
func (d *deriver) unknownBuckets(call *ssa.Call, stack string, address text) (all []Bucket) {
	unknown := unknownBucket(call)
	for i, site := range d.unknownSites(call.Parent(), address) {
		// The innermost call is the first in the stack.
		isOnStack := strings.HasPrefix(stack, site.Stack)
		if stack != "" && !isOnStack {
			continue
		}

		bucket := unknown
		if i > 0 {
			bucket.Name += " by " + d.position(site.Call.Parent(), site.Call.Pos())
		}
		all = append(all, bucket)
	}

	// No caller passes an unknown address. For example, main has no callers.
	if len(all) == 0 {
		return []Bucket{unknown}
	}
	return all
}

// unknownSites returns the calls of f that leave open which address f uses.
func (d *deriver) unknownSites(f *ssa.Function, address text) (all []flow.Site) {
	for _, site := range d.graph.Sites(f) {
		if slices.ContainsFunc(d.origins(address, site.Stack), isUnknownText) {
			all = append(all, site)
		}
	}
	return all
}

// isUnknownText reports whether the code leaves open which text an origin has.
func isUnknownText(o flow.Origin) bool {
	isNone := o.Zero || isEmpty(o.Value)
	return !isNone && constantText(o) == ""
}

// constantText returns the text of an origin that is a constant, and "" for another origin.
func constantText(o flow.Origin) string {
	c, ok := o.Value.(*ssa.Const)
	if !ok || o.Zero || c.Value == nil || c.Value.Kind() != constant.String {
		return ""
	}
	return constant.StringVal(c.Value)
}

// bucketsOfText returns the buckets that a call opens by the text t, such as an address. newBucket makes
// a bucket from each constant that t can be. Unknown buckets stand for the other values of t.
func (d *deriver) bucketsOfText(
	call *ssa.Call, t text, stack string, newBucket func(string) Bucket,
) (all []Bucket) {
	origins := d.origins(t, stack)
	for _, o := range origins {
		constant := constantText(o)
		if constant == "" {
			continue
		}
		bucket := newBucket(constant)
		bucket.open = call
		all = append(all, bucket)
	}

	hasUnknown := len(origins) == 0 || slices.ContainsFunc(origins, isUnknownText)
	if hasUnknown {
		all = append(all, d.unknownBuckets(call, stack, t)...)
	}
	return all
}

// bucketsAtAddress returns the buckets for an argument that is an address or, if prefix is not "", the name
// of a location.
func (d *deriver) bucketsAtAddress(call *ssa.Call, arg ssa.Value, stack, prefix string) []Bucket {
	return d.bucketsOfText(call, text{arg, -1}, stack, func(address string) Bucket {
		isLocation := prefix != "" && !strings.Contains(address, "://")
		if isLocation {
			return Bucket{Name: prefix + address}
		}
		return fromAddress(address)
	})
}

// fromAddress returns the bucket of an address, without the parameters that may be secrets.
func fromAddress(text string) Bucket {
	base, query, _ := strings.Cut(text, "?")
	scheme, rest, _ := strings.Cut(base, "://")
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host
	}
	parameters, _ := url.ParseQuery(query)
	return Bucket{Name: scheme + "://" + rest, Prefix: parameters.Get("prefix"), kms: parameters.Get("kms_key") != ""}
}

// bucketsOfConfig returns the buckets that a call opens by a Config, such as s3.Config. The field Bucket
// of the Config has the name of the bucket.
func (d *deriver) bucketsOfConfig(call *ssa.Call, config ssa.Value, stack, scheme string) []Bucket {
	field := fieldIndex(config.Type(), "Bucket")
	if field < 0 {
		return []Bucket{unknownBucket(call)}
	}
	buckets := d.bucketsOfText(call, text{config, field}, stack, func(name string) Bucket {
		return Bucket{Name: scheme + name}
	})

	hasKey := d.hasKMSKey(config, stack)
	for i := range buckets {
		buckets[i].kms = hasKey
	}
	return buckets
}

// hasKMSKey reports whether the program may set the field KMSKey of a Config.
func (d *deriver) hasKMSKey(config ssa.Value, stack string) bool {
	key := fieldIndex(config.Type(), "KMSKey")
	if key < 0 {
		return false
	}
	return slices.ContainsFunc(d.graph.Field(config, key, stack), func(o flow.Origin) bool {
		return !o.Zero && !isEmpty(o.Value)
	})
}

// isEmpty reports whether v is a constant that is nil or "".
func isEmpty(v ssa.Value) bool {
	c, ok := v.(*ssa.Const)
	if !ok {
		return false
	}
	if c.Value == nil {
		return true
	}
	return c.Value.Kind() == constant.String && constant.StringVal(c.Value) == ""
}

// fieldIndex returns the index of a field of a struct, or of the struct that a pointer points to,
// or -1.
func fieldIndex(t types.Type, name string) int {
	if pointer, ok := t.Underlying().(*types.Pointer); ok {
		t = pointer.Elem()
	}
	s, ok := t.Underlying().(*types.Struct)
	if !ok {
		return -1
	}

	for i := range s.NumFields() {
		if s.Field(i).Name() == name {
			return i
		}
	}
	return -1
}

// bucketsOfService returns the buckets that a call of Service.Bucket can open.
func (d *deriver) bucketsOfService(call *ssa.Call, stack string) (all []Bucket) {
	name := call.Call.Args[0]
	for _, account := range d.buckets(call.Call.Value, stack, "") {
		inAccount := func(name string) Bucket { return bucketInAccount(account, name) }
		all = append(all, d.bucketsOfText(call, text{name, -1}, stack, inAccount)...)
	}
	return all
}

// bucketInAccount returns the bucket of an account with the given name.
func bucketInAccount(account Bucket, name string) Bucket {
	if account.Unknown {
		return Bucket{Name: name + " of " + account.Name, Unknown: true}
	}
	if !strings.Contains(account.Name, "://") {
		// The name is a description, such as "location photos".
		return Bucket{Name: strings.TrimSuffix(account.Name, "/") + " bucket " + name}
	}

	// In an address without a host, such as s3://, the slash is that of the scheme.
	return Bucket{Name: strings.TrimSuffix(account.Name, "/") + "/" + name}
}

// prefixedBuckets returns the parts of buckets that a call of storage.Prefixed can return.
func (d *deriver) prefixedBuckets(call *ssa.Call, stack string) (all []Bucket) {
	bucket := call.Call.Args[0]
	prefix := call.Call.Args[1]
	prefixes := d.bucketsOfText(call, text{prefix, -1}, stack, func(prefix string) Bucket {
		return Bucket{Prefix: prefix}
	})

	for _, b := range d.buckets(bucket, stack, "") {
		for _, p := range prefixes {
			// If the prefix is not known, the part counts as the whole bucket.
			part := b
			if !p.Unknown {
				part.Prefix += p.Prefix
			}
			all = append(all, part)
		}
	}
	return all
}
