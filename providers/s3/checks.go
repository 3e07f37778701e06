package s3

import (
	"context"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"

	"github.com/omnibucket/storage"
)

// A check asks one question; set writes the answer into the profile. racy, which
// may be nil, reports whether the condition is known not to be atomic: then nobody
// asks, because a race would seldom show it.
type check struct {
	name string
	run  func(ctx context.Context, p *probe) (Verdict, string)
	set  func(profile *Profile, enforced bool)
	racy func(known Conditions) bool
}

// ask runs the check, unless the answer is known.
func (c *check) ask(ctx context.Context, p *probe) (Verdict, string) {
	if c.racy != nil && c.racy(p.racy) {
		return Ignored, "this server is known to look first and write later; a race seldom shows it, and was not run"
	}
	return c.run(ctx, p)
}

// checks are in the order in which they are made: how sums are sent decides how
// the rest is.
var checks = []check{
	{name: "a body that does not add up to its CRC32C is refused", run: checkSum, set: func(p *Profile, ok bool) {
		p.Checksum, p.ContentMD5 = ChecksumNone, !ok
		if ok {
			p.Checksum = ChecksumHeader
		}
	}},
	{name: "an upload in parts is held to the CRC32C of the whole, and keeps it", run: checkWholeSum, set: func(p *Profile, ok bool) {
		if ok {
			p.Checksum = ChecksumFullObject
		}
	}},
	{name: "a listing is in byte order, page by page", run: checkOrder, set: func(p *Profile, ok bool) { p.OrderedList = ok }},
	{name: "a listing takes a delimiter other than a slash", run: checkDelimiter, set: func(p *Profile, ok bool) { p.SlashDelimiter = !ok }},
	{name: "a full last page of a listing names no other", run: checkLastPage, set: func(p *Profile, ok bool) { p.TokenAfterLast = !ok }},
	{
		name: "create-only on Put", run: checkCreate,
		set:  func(p *Profile, ok bool) { p.Conditions.Create = ok },
		racy: func(known Conditions) bool { return known.Create },
	},
	{
		name: "compare-and-swap on Put", run: checkUpdate,
		set:  func(p *Profile, ok bool) { p.Conditions.Update = ok },
		racy: func(known Conditions) bool { return known.Update },
	},
	{
		name: "both on completing an upload in parts", run: checkComplete,
		set:  func(p *Profile, ok bool) { p.Conditions.Complete = ok },
		racy: func(known Conditions) bool { return known.Complete },
	},
	{
		name: "a conditional delete", run: checkRemove,
		set:  func(p *Profile, ok bool) { p.Conditions.Remove = ok },
		racy: func(known Conditions) bool { return known.Remove },
	},
	{name: "a copy on the server", run: checkCopy, set: func(p *Profile, ok bool) { p.Copy = ok }},
	{
		name: "create-only and compare-and-swap on a copy", run: checkCopyConditions,
		set:  func(p *Profile, ok bool) { p.Conditions.Copy = ok },
		racy: func(known Conditions) bool { return known.Copy },
	},
	{name: "a part copied from an object", run: checkCompose, set: func(p *Profile, ok bool) { p.CopyParts = ok }},
	{name: "a batch of deletes", run: checkBatch, set: func(p *Profile, ok bool) {
		switch {
		case !ok:
			p.Batch = BatchNone
		case p.Batch == BatchNone:
			p.Batch = BatchMD5
		}
	}},
	{name: "a public object in a private bucket", run: checkACL, set: func(p *Profile, ok bool) { p.ObjectACL = ok }},
	{name: "a signed upload is held to its content type", run: checkSignedType, set: func(p *Profile, ok bool) { p.SignedUploads.ContentType = ok }},
	{name: "a signed upload is held to its size", run: checkSignedSize, set: func(p *Profile, ok bool) { p.SignedUploads.Size = ok }},
	{
		name: "a signed upload that must not overwrite", run: checkSignedCreate,
		// It does not race: the Put without a signed address did.
		set:  func(p *Profile, ok bool) { p.SignedUploads.IfAbsent = ok && p.Conditions.Create },
		racy: func(known Conditions) bool { return known.Create },
	},
	{name: "a form is held to its bounds and type", run: checkForms, set: func(p *Profile, ok bool) { p.SignForms = ok }},
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
	if code, message := codeAndMessage(err); code != "" {
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

// orderNames are keys whose order tells bytes from folders, from letters without
// case, and from UTF-16, with more under a/ than a page holds. There is no "a":
// a file system under the server would not hold it beside a/1.
var orderNames = []string{"B", "a-b", "a/1", "a/2", "a/3", "a0", "b", "\u00e9", "\uffee", "\U0001f600"}

// checkOrder asks for pages of two keys.
func checkOrder(ctx context.Context, p *probe) (Verdict, string) {
	for _, name := range orderNames {
		if _, err := p.put(ctx, "order/"+name, "", storage.Condition{}); err != nil {
			return unclear("writing "+name, err)
		}
	}
	listed, _, err := p.listed(ctx, "order/", "", 2)
	return mustList(orderNames, listed, err)
}

// checkDelimiter asks for pages of one key or prefix, of what checkOrder wrote.
func checkDelimiter(ctx context.Context, p *probe) (Verdict, string) {
	listed, _, err := p.listed(ctx, "order/a", "-", 1)
	return mustList([]string{"a-", "a/1", "a/2", "a/3", "a0"}, listed, err)
}

// checkLastPage asks for pages that are all full, of what checkOrder wrote. MinIO
// names another after the second and later ones, versitygw after one with prefixes.
func checkLastPage(ctx context.Context, p *probe) (Verdict, string) {
	for _, ask := range []struct {
		prefix, delimiter string
		limit, pages      int
		want              []string
	}{
		{"order/a/", "", 1, 3, []string{"a/1", "a/2", "a/3"}},
		{"order/a", "/", 3, 1, []string{"a-b", "a/", "a0"}},
	} {
		listed, pages, err := p.listed(ctx, ask.prefix, ask.delimiter, ask.limit)
		if verdict, detail := mustList(ask.want, listed, err); verdict != Enforced {
			return verdict, detail
		}
		if pages > ask.pages {
			return Ignored, "an empty page follows"
		}
	}
	return Enforced, ""
}

func mustList(want, listed []string, err error) (Verdict, string) {
	switch {
	case err != nil:
		return unclear("listing", err)
	case !slices.Equal(want, listed):
		return Ignored, fmt.Sprintf("%q came as %q", want, listed)
	}
	return Enforced, ""
}

// listed lists what checkOrder wrote page by page, without "order/", and stops
// after one page more than it can take.
func (p *probe) listed(ctx context.Context, prefix, delimiter string, limit int) (names []string, pages int, err error) {
	for token := ""; ; {
		var page *storage.Page
		err := p.try(ctx, func() (err error) {
			page, err = p.driver.List(ctx, &storage.ListRequest{Prefix: p.prefix + prefix, Delimiter: delimiter, Token: token, Limit: limit})
			return err
		})
		if err != nil {
			return nil, pages, err
		}
		pages++
		for _, entry := range page.Entries {
			names = append(names, strings.TrimPrefix(entry.Key, p.prefix+"order/"))
		}
		if token = page.Token; token == "" || pages > len(orderNames) {
			return names, pages, nil
		}
	}
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
