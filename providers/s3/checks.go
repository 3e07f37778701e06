package s3

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
)

// A check asks one question; set, which may be nil, writes the answer into the
// profile.
type check struct {
	name string
	run  func(ctx context.Context, p *probe) (Verdict, string)
	set  func(profile *Profile, enforced bool)
}

// checks are in the order in which they are made: how sums are sent decides how
// the rest is.
var checks = []check{
	{"a body that does not add up to its CRC32C is refused", checkSum, func(p *Profile, ok bool) {
		p.Checksum, p.ContentMD5 = ChecksumNone, !ok
		if ok {
			p.Checksum = ChecksumHeader
		}
	}},
	{"an upload in parts is held to the CRC32C of the whole, and keeps it", checkWholeSum, func(p *Profile, ok bool) {
		if ok {
			p.Checksum = ChecksumFullObject
		}
	}},
	{"a listing is in byte order, page by page", checkOrder, nil},
	{"create-only on Put", checkCreate, func(p *Profile, ok bool) { p.Conditions.Create = ok }},
	{"compare-and-swap on Put", checkUpdate, func(p *Profile, ok bool) { p.Conditions.Update = ok }},
	{"both on completing an upload in parts", checkComplete, func(p *Profile, ok bool) { p.Conditions.Complete = ok }},
	{"a conditional delete", checkRemove, func(p *Profile, ok bool) { p.Conditions.Remove = ok }},
	{"a copy on the server", checkCopy, func(p *Profile, ok bool) { p.Copy = ok }},
	{"create-only and compare-and-swap on a copy", checkCopyConditions, func(p *Profile, ok bool) { p.Conditions.Copy = ok }},
	{"a part copied from an object", checkCompose, func(p *Profile, ok bool) { p.CopyParts = ok }},
	{"a batch of deletes", checkBatch, func(p *Profile, ok bool) {
		switch {
		case !ok:
			p.Batch = BatchNone
		case p.Batch == BatchNone:
			p.Batch = BatchMD5
		}
	}},
	{"a public object in a private bucket", checkACL, func(p *Profile, ok bool) { p.ObjectACL = ok }},
	{"a signed upload is held to its content type", checkSignedType, nil},
	{"a signed upload is held to its size", checkSignedSize, nil},
	{"a signed upload that must not overwrite", checkSignedCreate, nil},
	{"a form is held to its bounds and type", checkForms, func(p *Profile, ok bool) { p.SignForms = ok }},
}

// unclear is a step of a check that failed before there was a verdict.
func unclear(step string, err error) (Verdict, string) {
	if storage.CodeOf(err) == storage.Unsupported {
		return Refused, step + ": " + brief(err)
	}
	return Unclear, step + ": " + brief(err)
}

// brief is what a person needs of an error: the provider's own words, where it
// has said any.
func brief(err error) string {
	if code, message := words(err); code != "" {
		return strings.TrimSuffix(code+": "+message, ": ")
	}
	return err.Error()
}

// mustRefuse is the verdict on a call whose condition does not hold: Enforced
// so far, where it failed for that.
func mustRefuse(step string, err error) (Verdict, string) {
	switch storage.CodeOf(err) {
	case "":
		return Ignored, step + " succeeded"
	case storage.PreconditionFailed:
		return Enforced, ""
	}
	return unclear(step, err)
}

// mustHold is whether the key still holds the text after what was refused.
func (p *probe) mustHold(ctx context.Context, key, text string) (Verdict, string) {
	now, err := p.text(ctx, key)
	switch {
	case storage.CodeOf(err) == storage.ObjectNotFound:
		return Ignored, "the object is gone, whatever the answer was"
	case err != nil:
		return unclear("reading the object again", err)
	case now != text:
		return Ignored, "the object was replaced, whatever the answer was"
	}
	return Enforced, ""
}

// mustLack is whether there is nothing at the key.
func (p *probe) mustLack(ctx context.Context, key string) (Verdict, string) {
	_, err := p.head(ctx, key)
	switch storage.CodeOf(err) {
	case storage.ObjectNotFound:
		return Enforced, ""
	case "":
		return Ignored, "the object is there, whatever the answer was"
	}
	return unclear("looking for the object", err)
}

// A step is one of a check; the first that is not Enforced ends it.
type step func() (Verdict, string)

func inTurn(steps ...step) (Verdict, string) {
	for _, s := range steps {
		if verdict, detail := s(); verdict != Enforced {
			return verdict, detail
		}
	}
	return Enforced, ""
}

// must is a step that has to succeed.
func must(name string, call func() error) step {
	return func() (Verdict, string) {
		if err := call(); err != nil {
			return unclear(name, err)
		}
		return Enforced, ""
	}
}

func refuses(name string, call func() error) step {
	return func() (Verdict, string) { return mustRefuse(name, call()) }
}

func (p *probe) holds(ctx context.Context, key, text string) step {
	return func() (Verdict, string) { return p.mustHold(ctx, key, text) }
}

func (p *probe) lacks(ctx context.Context, key string) step {
	return func() (Verdict, string) { return p.mustLack(ctx, key) }
}

func checkSum(ctx context.Context, p *probe) (Verdict, string) {
	if p.profile.Checksum == ChecksumNone {
		return Refused, "a body with a sum was refused"
	}
	r := p.request("sum", "0123456789", storage.Condition{})
	wrong := *r.CRC32C + 1
	r.CRC32C = &wrong
	verdict, detail := inTurn(func() (Verdict, string) {
		_, err := p.putRequest(ctx, r)
		switch storage.CodeOf(err) {
		case "":
			return Ignored, "a body with the wrong sum was stored"
		case storage.ChecksumMismatch:
			return Enforced, ""
		}
		return unclear("a body with the wrong sum", err)
	}, p.lacks(ctx, "sum"))
	if verdict != Enforced {
		p.profile.Checksum = ChecksumNone
	}
	return verdict, detail
}

func checkWholeSum(ctx context.Context, p *probe) (Verdict, string) {
	if p.profile.Checksum == ChecksumNone {
		return Refused, "there are no sums at all"
	}
	const text = "0123456789"
	right := crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))
	wrong := right + 1
	verdict, detail := inTurn(func() (Verdict, string) {
		_, err := p.upload(ctx, "whole", text, storage.Condition{}, &wrong)
		switch storage.CodeOf(err) {
		case "":
			return Ignored, "parts that do not add up to the sum were completed"
		case storage.ChecksumMismatch, storage.InvalidArgument:
			return Enforced, ""
		}
		return unclear("parts that do not add up to the sum", err)
	}, p.lacks(ctx, "whole"), must("parts that do", func() error {
		_, err := p.upload(ctx, "whole", text, storage.Condition{}, &right)
		return err
	}), func() (Verdict, string) {
		attrs, err := p.head(ctx, "whole")
		switch {
		case err != nil:
			return unclear("looking at the object", err)
		case attrs.CRC32C == nil:
			return Ignored, "the sum was not kept"
		case *attrs.CRC32C != right:
			return Ignored, "another sum was kept"
		}
		return Enforced, ""
	})
	if verdict != Enforced {
		p.profile.Checksum = ChecksumHeader
	}
	return verdict, detail
}

// checkOrder asks for pages of two keys whose order tells bytes from folders,
// from letters without case, and from UTF-16.
func checkOrder(ctx context.Context, p *probe) (Verdict, string) {
	names := []string{"B", "a", "a-b", "a/b", "a0", "b", "\u00e9", "\uffee", "\U0001f600"}
	for _, name := range names {
		if name == "a" {
			continue // a file system under the server would not hold it beside a/b
		}
		if _, err := p.put(ctx, "order/"+name, "", storage.Condition{}); err != nil {
			return unclear("writing "+name, err)
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return name == "a" })
	var listed []string
	for token := ""; ; {
		var page *storage.Page
		err := p.try(ctx, func() (err error) {
			page, err = p.driver.List(ctx, &storage.ListRequest{Prefix: p.prefix + "order/", Token: token, Limit: 2})
			return err
		})
		if err != nil {
			return unclear("listing", err)
		}
		for _, entry := range page.Entries {
			listed = append(listed, strings.TrimPrefix(entry.Key, p.prefix+"order/"))
		}
		if token = page.Token; token == "" || len(listed) > len(names) {
			break
		}
	}
	if !slices.Equal(names, listed) {
		return Ignored, fmt.Sprintf("%q came as %q", names, listed)
	}
	return Enforced, ""
}

func checkBatch(ctx context.Context, p *probe) (Verdict, string) {
	return inTurn(
		must("writing", func() error { _, err := p.put(ctx, "batch-1", "", storage.Condition{}); return err }),
		must("writing", func() error { _, err := p.put(ctx, "batch-2", "", storage.Condition{}); return err }),
		must("a batch of two", func() error { return p.batch(ctx, "batch-1", "batch-2") }),
		p.lacks(ctx, "batch-1"), p.lacks(ctx, "batch-2"),
	)
}

// batch is the first error of a batch.
func (p *probe) batch(ctx context.Context, keys ...string) error {
	return p.try(ctx, func() error {
		var requests []storage.DeleteRequest
		for _, key := range keys {
			requests = append(requests, storage.DeleteRequest{Key: p.prefix + key})
		}
		for _, err := range p.driver.DeleteBatch(ctx, requests) {
			if err != nil {
				return err
			}
		}
		return nil
	})
}
