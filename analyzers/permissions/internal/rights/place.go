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

// A Place is a bucket. With a Prefix, it is the part of a bucket whose keys begin with the prefix.
type Place struct {
	// Name identifies the bucket. It is an address without parameters, the word "location" with the
	// name of a location, or a description of an unknown bucket.
	Name    string
	Prefix  string
	Unknown bool
	open    *ssa.Call
	kms     bool // whether the address names a key of the provider's key management service
}

// A text for a Place begins with UnknownPrefix if the bucket is unknown. It begins with
// LocationPrefix if the bucket is a location of the configuration.
const (
	UnknownPrefix  = "unknown bucket: "
	LocationPrefix = "location "
)

// String returns the name of the bucket and its prefix.
func (p Place) String() string {
	if p.Unknown {
		return UnknownPrefix + p.withPrefix(" ")
	}
	return p.withPrefix("/")
}

// AtAddress returns the place of an address. prefix is added to the prefix in the address.
func AtAddress(address, prefix string) Place {
	p := fromAddress(address)
	p.Prefix += prefix
	return p
}

// withPrefix returns the name of the place, with the prefix after the separator if there is one.
func (p Place) withPrefix(separator string) string {
	if p.Prefix == "" {
		return p.Name
	}
	return strings.TrimSuffix(p.Name, separator) + separator + p.Prefix
}

// opened returns the buckets that a call of the library can open, which are several if the address
// is not constant.
func (d *deriver) opened(call *ssa.Call, stack string) []Place {
	name := calleeName(call.Common())
	args := call.Call.Args
	switch name {
	case "storage.Open", "storage.OpenService":
		return d.addressed(call, args[1], stack, "")
	case "storage/locations.Open", "storage/locations.OpenService":
		return d.addressed(call, args[1], stack, LocationPrefix)
	case "(*storage/locations.Config).Open", "(*storage/locations.Config).OpenService":
		// The first argument is the receiver.
		return d.addressed(call, args[2], stack, LocationPrefix)
	case "storage/memstore.New", "storage/memstore.NewDriver", "storage/memstore.NewService",
		"storage/memstore.NewServiceDriver":
		return []Place{{Name: "memory in " + functionName(call.Parent()), open: call}}
	case "storage/providers/local.Open", "storage/providers/local.NewDriver", "storage/providers/local.NewService",
		"storage/providers/local.NewServiceDriver":
		return d.text(call, args[0], stack, func(text string) Place { return Place{Name: "file://" + text} })
	case "(storage.Service).Bucket":
		return d.ofService(call, stack)
	case "storage/transfer.Dir":
		return nil // a local directory needs no rights
	case "storage.Prefixed":
		return d.prefixed(call, stack)
	}

	if account := accounts[name]; account != "" {
		return []Place{{Name: account, open: call}}
	}
	if scheme := schemes[name]; scheme != "" {
		return d.configured(call, args[1], stack, scheme)
	}
	return []Place{unknownCall(call)}
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

// unknownCall returns the place of a call whose bucket is not known.
//
// Equal calls in one function are numbered in the order of the code, and the name of the first has
// no number.
func unknownCall(call *ssa.Call) Place {
	name := shortName(call.Common())
	number := 1
	for _, block := range call.Parent().Blocks {
		for _, instruction := range block.Instrs {
			other, isCall := instruction.(*ssa.Call)
			if !isCall || other.Pos() >= call.Pos() {
				continue
			}
			isEqual := shortName(other.Common()) == name
			if isEqual && !hasText(other) { // a call with a constant text is not unknown
				number++
			}
		}
	}
	if number > 1 {
		name += " " + strconv.Itoa(number)
	}
	return Place{
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

// A textTrace returns the origins of a text in a function, such as the address of a bucket, if the
// calls of a stack have led to the function.
type textTrace func(stack string) []flow.Origin

// unknownOpen returns the places of a call that opens a bucket with an unknown address. The function
// around the call may get the address from its callers. It then has one place for each caller that
// passes an unknown address, because each of them may mean another bucket.
//
// All places but the first have the position of the caller in their names, so that the names
// differ. If the stack is not empty, only the caller in the stack counts.
func (d *deriver) unknownOpen(call *ssa.Call, stack string, address textTrace) (all []Place) {
	unknown := unknownCall(call)
	for i, site := range d.unknownSites(call.Parent(), address) {
		// The innermost call is the first in the stack.
		isOnStack := strings.HasPrefix(stack, site.Stack)
		if stack != "" && !isOnStack {
			continue
		}

		place := unknown
		if i > 0 {
			place.Name += " by " + d.position(site.Call.Parent(), site.Call.Pos())
		}
		all = append(all, place)
	}

	// No caller passes an unknown address. For example, main has no callers.
	if len(all) == 0 {
		return []Place{unknown}
	}
	return all
}

// unknownSites returns the calls of f that leave open which address f uses.
func (d *deriver) unknownSites(f *ssa.Function, address textTrace) (all []flow.Site) {
	for _, site := range d.graph.Sites(f) {
		if slices.ContainsFunc(address(site.Stack), isUnknownText) {
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

// text returns the places for the values of arg: newPlace of each constant text, and unknown places
// for the others.
func (d *deriver) text(call *ssa.Call, arg ssa.Value, stack string, newPlace func(string) Place) (all []Place) {
	return d.texts(call, stack, func(stack string) []flow.Origin { return d.graph.Trace(arg, stack) }, newPlace)
}

// texts returns the places for the values that trace finds: newPlace of each constant text, and
// unknown places for the others.
func (d *deriver) texts(
	call *ssa.Call, stack string, trace textTrace, newPlace func(string) Place,
) (all []Place) {
	origins := trace(stack)
	for _, o := range origins {
		text := constantText(o)
		if text == "" {
			continue
		}
		place := newPlace(text)
		place.open = call
		all = append(all, place)
	}

	hasUnknown := len(origins) == 0 || slices.ContainsFunc(origins, isUnknownText)
	if hasUnknown {
		all = append(all, d.unknownOpen(call, stack, trace)...)
	}
	return all
}

// addressed returns the places for an argument that is an address or, if prefix is not "", the name
// of a location.
func (d *deriver) addressed(call *ssa.Call, arg ssa.Value, stack, prefix string) []Place {
	return d.text(call, arg, stack, func(text string) Place {
		if prefix != "" && !strings.Contains(text, "://") {
			return Place{Name: prefix + text}
		}
		return fromAddress(text)
	})
}

// fromAddress returns the place of an address, without the parameters that may be secrets.
func fromAddress(text string) Place {
	base, query, _ := strings.Cut(text, "?")
	scheme, rest, _ := strings.Cut(base, "://")
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host
	}
	parameters, _ := url.ParseQuery(query)
	return Place{Name: scheme + "://" + rest, Prefix: parameters.Get("prefix"), kms: parameters.Get("kms_key") != ""}
}

// configured returns the buckets that a call opens by a Config, such as s3.Config. The field Bucket
// of the Config has the name of the bucket.
func (d *deriver) configured(call *ssa.Call, config ssa.Value, stack, scheme string) []Place {
	bucket := fieldIndex(config.Type(), "Bucket")
	if bucket < 0 {
		return []Place{unknownCall(call)}
	}
	trace := func(callers string) []flow.Origin { return d.graph.Field(config, bucket, callers) }
	places := d.texts(call, stack, trace, func(name string) Place { return Place{Name: scheme + name} })

	hasKey := d.hasKMSKey(config, stack)
	for i := range places {
		places[i].kms = hasKey
	}
	return places
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

// ofService returns the buckets that a call of Service.Bucket can open.
func (d *deriver) ofService(call *ssa.Call, stack string) (all []Place) {
	name := call.Call.Args[0]
	for _, account := range d.places(call.Call.Value, stack, "") {
		inAccount := func(name string) Place { return placeInAccount(account, name) }
		all = append(all, d.text(call, name, stack, inAccount)...)
	}
	return all
}

// placeInAccount returns the bucket of an account with the given name.
func placeInAccount(account Place, name string) Place {
	if account.Unknown {
		return Place{Name: name + " of " + account.Name, Unknown: true}
	}
	if !strings.Contains(account.Name, "://") {
		// The name is a description, such as "location photos".
		return Place{Name: strings.TrimSuffix(account.Name, "/") + " bucket " + name}
	}

	// In an address without a host, such as s3://, the slash is that of the scheme.
	return Place{Name: strings.TrimSuffix(account.Name, "/") + "/" + name}
}

// prefixed returns the parts of buckets that a call of storage.Prefixed can return.
func (d *deriver) prefixed(call *ssa.Call, stack string) (all []Place) {
	bucket := call.Call.Args[0]
	prefix := call.Call.Args[1]
	prefixes := d.text(call, prefix, stack, func(text string) Place { return Place{Prefix: text} })

	for _, whole := range d.places(bucket, stack, "") {
		for _, below := range prefixes {
			// If the prefix is not known, the part counts as the whole bucket.
			part := whole
			if !below.Unknown {
				part.Prefix += below.Prefix
			}
			all = append(all, part)
		}
	}
	return all
}
