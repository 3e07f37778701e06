package s3probe

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/providers/s3"
)

// A check tests one feature of the server. The function run returns the verdict, and the function
// set writes the verdict into the profile. For a condition, isRacy reports whether the server is
// known to test the condition, but not atomically. The verdict is then Ignored, and run is not
// called. It would seldom detect the fault, because only a race shows the fault. For other
// features, isRacy is nil.
type check struct {
	name   string
	run    func(ctx context.Context, p *probe) (Verdict, string)
	set    func(profile *s3.Profile, enforced bool)
	isRacy func(known s3.Conditions) bool
}

// conditionCheck returns the check of one condition, such as Create. field returns a pointer to the field
// of this condition, so that the check can set the field in a profile, and read it in the conditions that
// are known to be racy.
func conditionCheck(
	name string, run func(context.Context, *probe) (Verdict, string), field func(*s3.Conditions) *bool,
) check {
	return check{
		name: name,
		run:  run,
		set: func(p *s3.Profile, enforced bool) {
			*field(&p.Conditions) = enforced
		},
		isRacy: func(known s3.Conditions) bool {
			return *field(&known)
		},
	}
}

// runUnlessRacy runs the check, unless the profile already says that the server does not check the condition
// atomically.
func (c *check) runUnlessRacy(ctx context.Context, p *probe) (Verdict, string) {
	if c.isRacy != nil && c.isRacy(p.racy) {
		return Ignored, "the server is known to test this condition before the write, and not atomically; no race was run"
	}
	return c.run(ctx, p)
}

// checks are in the order in which they run. The first two decide how the others send
// checksums.
var checks = []check{
	{name: "a body that does not match its CRC32C is refused", run: checkCRC32C, set: func(p *s3.Profile, ok bool) {
		p.Checksum = s3.ChecksumNone
		if ok {
			p.Checksum = s3.ChecksumHeader
		}
	}},
	{
		name: "a multipart upload is checked against the CRC32C of the whole object, and keeps it",
		run:  checkFullObjectCRC32C,
		set: func(p *s3.Profile, ok bool) {
			if ok {
				p.Checksum = s3.ChecksumFullObject
			}
		},
	},
	{
		name: "over TLS, a part that does not match the CRC32C after it is refused",
		run:  checkTrailer,
		set: func(p *s3.Profile, ok bool) {
			p.TrailingChecksums = ok
		},
	},
	{
		name: "a listing is in byte order across pages",
		run:  checkOrder,
		set: func(p *s3.Profile, ok bool) {
			p.OrderedListing = ok
		},
	},
	{
		name: "a listing accepts a delimiter other than a slash",
		run:  checkDelimiter,
		set: func(p *s3.Profile, ok bool) {
			p.SlashDelimiter = !ok
		},
	},
	{
		name: "a full last page of a listing names no next page",
		run:  checkLastPage,
		set: func(p *s3.Profile, ok bool) {
			p.TokenAfterLast = !ok
		},
	},
	{
		name: "a key that begins with a slash is another key",
		run:  checkLeadingSlash,
		set: func(p *s3.Profile, ok bool) {
			p.LeadingSlashes = ok
		},
	},
	{
		name: "uploads in progress are listed",
		run:  checkUploads,
		set: func(p *s3.Profile, ok bool) {
			p.HidesUploads = !ok
		},
	},
	conditionCheck("create-only on Put", checkCreate, func(c *s3.Conditions) *bool { return &c.Create }),
	conditionCheck("compare-and-swap on Put", checkUpdate, func(c *s3.Conditions) *bool { return &c.Update }),
	conditionCheck("both on completing a multipart upload", checkComplete, func(c *s3.Conditions) *bool {
		return &c.Complete
	}),
	{
		name: "an upload whose completion was refused stays",
		run:  checkRefusedUpload,
		set: func(p *s3.Profile, ok bool) {
			p.RefusalAborts = !ok
		},
	},
	conditionCheck("a conditional delete", checkRemove, func(c *s3.Conditions) *bool { return &c.Remove }),
	{name: "a server-side copy", run: checkCopy, set: func(p *s3.Profile, ok bool) {
		p.Copy = ok
	}},
	conditionCheck(
		"create-only and compare-and-swap on a copy", checkCopyConditions,
		func(c *s3.Conditions) *bool { return &c.Copy },
	),
	{name: "a part copied from an object", run: checkCompose, set: func(p *s3.Profile, ok bool) {
		p.CopyParts = ok
	}},
	{
		name: "a copied part is of the revision that it names",
		run:  checkPinnedParts,
		set: func(p *s3.Profile, ok bool) {
			p.PinnedCopyParts = ok
		},
	},
	{
		name: "a batch delete",
		run:  checkBatch,
		set: func(p *s3.Profile, ok bool) {
			setAtLeast(&p.Batch, s3.BatchMD5, ok)
		},
	},
	{
		name: "a public object in a private bucket",
		run:  checkACL,
		set: func(p *s3.Profile, ok bool) {
			p.ObjectACLs = ok
		},
	},
	{
		name: "a signed upload enforces its content type",
		run:  checkSignedType,
		set: func(p *s3.Profile, ok bool) {
			p.SignedUploads.ContentType = ok
		},
	},
	{
		name: "a signed upload enforces its size",
		run:  checkSignedSize,
		set: func(p *s3.Profile, ok bool) {
			p.SignedUploads.Size = ok
		},
	},
	{
		name: "a signed upload that must not overwrite",
		run:  checkSignedCreate,
		// This check runs no concurrent writes. The check "create-only on Put" runs them.
		set: func(p *s3.Profile, ok bool) {
			p.SignedUploads.IfAbsent = ok && p.Conditions.Create
		},
		isRacy: func(c s3.Conditions) bool { return c.Create },
	},
	{
		name: "tags of writes, copies and their own calls",
		run:  checkTags,
		set: func(p *s3.Profile, ok bool) {
			p.Tags = ok
		},
	},
	{
		name: "a legal hold keeps a version, in a bucket with object lock",
		run:  checkLegalHold,
		set: func(p *s3.Profile, ok bool) {
			setAtLeast(&p.ObjectLock, s3.LockNewBuckets, ok)
		},
	},
	{
		name: "an object is encrypted with a key of a KMS",
		run:  checkKMS,
		set: func(p *s3.Profile, ok bool) {
			p.KMS = ok
		},
	},
	{
		name: "only a customer's key reads its object, over TLS",
		run:  checkCustomerKey,
		set: func(p *s3.Profile, ok bool) {
			p.CustomerKeys = ok
		},
	},
	{
		name: "a form enforces its sizes and type",
		run:  checkForms,
		set: func(p *s3.Profile, ok bool) {
			p.SignedForms = ok
		},
	},
}

// setAtLeast sets a level of support to zero unless ok is true. Otherwise it raises a level of zero
// to minimum, and keeps a higher one.
func setAtLeast[T s3.BatchDelete | s3.LockSupport](level *T, minimum T, ok bool) {
	if !ok {
		*level = 0
	} else if *level == 0 {
		*level = minimum
	}
}

// inconclusive returns the verdict for a step that failed with an unexpected error. It is Refused
// if the server says that it does not support the request, or else Inconclusive.
func inconclusive(step string, err error) (Verdict, string) {
	if storage.CodeOf(err) == storage.Unsupported {
		return Refused, step + ": " + shortError(err)
	}
	return Inconclusive, step + ": " + shortError(err)
}

// shortError returns the code and message of a server's error, or the whole text of any other
// error.
func shortError(err error) string {
	if api, ok := errors.AsType[smithy.APIError](err); ok && api.ErrorCode() != "" {
		return strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": ")
	}
	return err.Error()
}

// verifyContent returns Enforced if the object still has the text after the server refused a write.
func (p *probe) verifyContent(ctx context.Context, key, text string) (Verdict, string) {
	current, err := p.read(ctx, key)
	if storage.CodeOf(err) == storage.ObjectNotFound {
		return Ignored, "the object is gone, in spite of the response"
	}
	if err != nil {
		return inconclusive("reading the object again", err)
	}
	if current != text {
		return Ignored, "the object was replaced, in spite of the response"
	}
	return Enforced, ""
}

// A step is a part of a check. It returns the verdict and a detail for the report.
type step func() (Verdict, string)

// runSteps runs the steps in order until the verdict of one is not Enforced, and returns that
// verdict with its detail.
func runSteps(steps ...step) (Verdict, string) {
	for _, s := range steps {
		if verdict, detail := s(); verdict != Enforced {
			return verdict, detail
		}
	}
	return Enforced, ""
}

// expectSuccess returns a step that expects a call to succeed.
func expectSuccess(name string, call func() error) step {
	return func() (Verdict, string) {
		if err := call(); err != nil {
			return inconclusive(name, err)
		}
		return Enforced, ""
	}
}

// expectFailure returns a step that expects a call to fail with one of the codes. If the call
// succeeds, the verdict is Ignored with the given detail. name is the call's name in other details.
func expectFailure(name, detail string, call func() error, codes ...storage.Code) step {
	return func() (Verdict, string) {
		err := call()
		if err == nil {
			return Ignored, detail
		}
		if slices.Contains(codes, storage.CodeOf(err)) {
			return Enforced, ""
		}
		return inconclusive(name, err)
	}
}

// expectRefusal returns a step whose call must fail with PreconditionFailed.
func expectRefusal(name string, call func() error) step {
	return expectFailure(name, name+" succeeded", call, storage.PreconditionFailed)
}

// expectAttrs returns a step that checks the attributes of an object. The function check returns ""
// if they are right, and otherwise a description of the fault.
func (p *probe) expectAttrs(ctx context.Context, key string, check func(*storage.Attrs) string) step {
	return func() (Verdict, string) {
		attrs, err := p.head(ctx, key)
		if err != nil {
			return inconclusive("reading the attributes", err)
		}
		if detail := check(attrs); detail != "" {
			return Ignored, detail
		}
		return Enforced, ""
	}
}

func (p *probe) expectObject(ctx context.Context, key, text string) step {
	return func() (Verdict, string) { return p.verifyContent(ctx, key, text) }
}

func (p *probe) expectNoObject(ctx context.Context, key string) step {
	return p.expectMissing(ctx, p.prefix+key, "the object exists, in spite of the response")
}

// expectMissing returns a step that expects no object at fullKey, which includes the prefix. If
// there is one, detail is the detail of the verdict.
func (p *probe) expectMissing(ctx context.Context, fullKey, detail string) step {
	head := func() error {
		_, err := p.driver.Head(ctx, &driver.GetRequest{Key: fullKey, Length: -1})
		return err
	}
	return expectFailure("reading the attributes", detail, head, storage.ObjectNotFound)
}

// checkLeadingSlash checks that the server keeps "/key" and "key" as different objects.
func checkLeadingSlash(ctx context.Context, p *probe) (Verdict, string) {
	return runSteps(
		expectSuccess("writing", func() error {
			_, err := p.put(ctx, "slash", "", storage.Condition{})
			return err
		}),
		p.expectMissing(ctx, "/"+p.prefix+"slash", `"/key" is taken for "key"`),
	)
}

// checkCRC32C checks that the server refuses a put whose header has a wrong CRC32C of the body.
func checkCRC32C(ctx context.Context, p *probe) (Verdict, string) {
	if p.profile.Checksum == s3.ChecksumNone {
		return Refused, "a body with a checksum was refused"
	}
	r := p.newPut("sum", "0123456789", storage.Condition{})
	r.CRC32C.Sum++ // now the checksum is wrong
	put := func() error {
		_, err := p.putRequest(ctx, r)
		return err
	}
	verdict, detail := runSteps(
		expectFailure("a body with a wrong checksum", "a body with a wrong checksum was stored", put,
			storage.ChecksumMismatch),
		p.expectNoObject(ctx, "sum"),
	)
	if verdict != Enforced {
		p.setChecksum(s3.ChecksumNone) // the server compares no checksums
	}
	return verdict, detail
}

// checkFullObjectCRC32C checks that the server compares the CRC32C of a whole multipart upload and
// stores it. If it does not, the driver may send a checksum only with single requests.
func checkFullObjectCRC32C(ctx context.Context, p *probe) (Verdict, string) {
	if p.profile.Checksum == s3.ChecksumNone {
		return Refused, "the server checks no checksums"
	}

	const key = "whole"
	const text = "0123456789"
	r := p.newPut(key, text, storage.Condition{})
	correctSum := r.CRC32C.Sum
	upload := func(sum uint32) error {
		r.CRC32C.Sum = sum
		_, err := p.upload(ctx, r, text)
		return err
	}
	checkStoredSum := func(attrs *storage.Attrs) string {
		if !attrs.CRC32C.Known {
			return "the checksum was not kept"
		}
		if attrs.CRC32C.Sum != correctSum {
			return "another checksum was kept"
		}
		return ""
	}

	// The server must refuse a wrong checksum, and return the right one.
	verdict, detail := runSteps(
		expectFailure("an upload with a wrong checksum", "an upload with a wrong checksum was completed",
			func() error { return upload(correctSum + 1) }, storage.ChecksumMismatch, storage.InvalidArgument),
		p.expectNoObject(ctx, key),
		expectSuccess("an upload with the right checksum", func() error { return upload(correctSum) }),
		p.expectAttrs(ctx, key, checkStoredSum),
	)

	if verdict != Enforced {
		// The driver still sends a checksum with each single request.
		p.setChecksum(s3.ChecksumHeader)
	}
	return verdict, detail
}

// orderNames are keys in byte order. A server that sorts by folders, by UTF-16, or without regard
// to case would list them in another order. More keys begin with a/ than fit on one page. There is
// no key "a", because a server that stores files cannot store both "a" and "a/1".
var orderNames = []string{"B", "a-b", "a/1", "a/2", "a/3", "a0", "b", "\u00e9", "\uffee", "\U0001f600"}

// checkOrder checks that keys are listed in byte order, over several pages.
func checkOrder(ctx context.Context, p *probe) (Verdict, string) {
	for _, name := range orderNames {
		if _, err := p.put(ctx, "order/"+name, "", storage.Condition{}); err != nil {
			return inconclusive("writing "+name, err)
		}
	}

	const noDelimiter, limit = "", 2 // pages of two keys
	keys, _, err := p.listNames(ctx, "order/", noDelimiter, limit)
	return listVerdict(orderNames, keys, err)
}

// checkDelimiter lists the objects of checkOrder in pages of one key or prefix.
func checkDelimiter(ctx context.Context, p *probe) (Verdict, string) {
	keys, _, err := p.listNames(ctx, "order/a", "-", 1)
	return listVerdict([]string{"a-", "a/1", "a/2", "a/3", "a0"}, keys, err)
}

// checkLastPage checks that no empty page follows a full last page. MinIO sends one unless the last
// page is also the first, and versitygw if the page has common prefixes.
func checkLastPage(ctx context.Context, p *probe) (Verdict, string) {
	for _, tt := range []struct {
		prefix, delimiter string
		limit, maxPages   int
		want              []string
	}{
		{prefix: "order/a/", limit: 1, maxPages: 3, want: []string{"a/1", "a/2", "a/3"}},
		{prefix: "order/a", delimiter: "/", limit: 3, maxPages: 1, want: []string{"a-b", "a/", "a0"}},
	} {
		keys, pages, err := p.listNames(ctx, tt.prefix, tt.delimiter, tt.limit)
		if verdict, detail := listVerdict(tt.want, keys, err); verdict != Enforced {
			return verdict, detail
		}
		hasEmptyPage := pages > tt.maxPages
		if hasEmptyPage {
			return Ignored, "an empty page follows"
		}
	}
	return Enforced, ""
}

// listVerdict returns Enforced if a listing without an error returned the names in want, in this
// order.
func listVerdict(want, got []string, err error) (Verdict, string) {
	if err != nil {
		return inconclusive("listing", err)
	}
	if !slices.Equal(want, got) {
		return Ignored, fmt.Sprintf("%q was listed as %q", want, got)
	}
	return Enforced, ""
}

// checkBatch checks that one request can remove two objects.
func checkBatch(ctx context.Context, p *probe) (Verdict, string) {
	put := func(key string) func() error {
		return func() error {
			_, err := p.put(ctx, key, "", storage.Condition{})
			return err
		}
	}
	return runSteps(
		expectSuccess("writing", put("batch-1")),
		expectSuccess("writing", put("batch-2")),
		expectSuccess("a batch of two", func() error { return p.deleteBatch(ctx, "batch-1", "batch-2") }),
		p.expectNoObject(ctx, "batch-1"),
		p.expectNoObject(ctx, "batch-2"),
	)
}
