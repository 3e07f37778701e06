package s3probe

import (
	"context"
	"fmt"
	"maps"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// sourceTags are the tags of the objects that checkTags writes first.
var sourceTags = map[string]string{"k": "a b", "l": "1"}

// checkTags checks that each way to write tags stores them, by reading the tags and their number
// after each write.
func checkTags(ctx context.Context, p *probe) (Verdict, string) {
	// The value has characters that are escaped in a header.
	newTags := map[string]string{"m": "+="}
	put := p.newPut("tagged", "tagged", storage.Condition{})
	put.Tags = sourceTags
	taggedParts := p.newPut("parts-tagged", "tagged", storage.Condition{})
	taggedParts.Tags = sourceTags

	return runSteps(
		expectSuccess("a write with tags", func() error {
			_, err := p.putRequest(ctx, put)
			return err
		}),
		p.expectTags(ctx, "tagged", sourceTags),
		expectSuccess("setting tags", func() error { return p.setTags(ctx, "tagged", newTags) }),
		p.expectTags(ctx, "tagged", newTags),
		expectSuccess("removing tags", func() error { return p.setTags(ctx, "tagged", nil) }),
		p.expectTags(ctx, "tagged", nil),
		// An upload in parts has its tags from the beginning.
		expectSuccess("a multipart upload with tags", func() error {
			_, err := p.upload(ctx, taggedParts, "tagged")
			return err
		}),
		p.expectTags(ctx, "parts-tagged", sourceTags),
		// A copy has the tags of its source, unless it has tags of its own.
		expectSuccess("a copy", func() error { return p.copyTagged(ctx, nil) }),
		p.expectTags(ctx, "copy-tagged", sourceTags),
		expectSuccess("a copy with other tags", func() error { return p.copyTagged(ctx, newTags) }),
		p.expectTags(ctx, "copy-tagged", newTags),
		// A write without tags removes those of the object before it.
		expectSuccess("a write without tags", func() error {
			_, err := p.put(ctx, "copy-tagged", "x", storage.Condition{})
			return err
		}),
		p.expectTags(ctx, "copy-tagged", nil),
	)
}

func (p *probe) setTags(ctx context.Context, key string, tags map[string]string) error {
	return p.driver.SetTags(ctx, &driver.ChangeRequest{Key: p.prefix + key, Tags: tags})
}

// copyTagged copies the object "parts-tagged", with tags in place of the source's tags unless tags
// is nil. If the server cannot copy objects, it uploads an object like the copy, so that the later
// steps succeed.
func (p *probe) copyTagged(ctx context.Context, tags map[string]string) error {
	r := &driver.CopyRequest{
		Source:     p.driver.Locate(p.prefix + "parts-tagged"),
		Key:        p.prefix + "copy-tagged",
		Properties: storage.Properties{ContentType: "text/plain"},
	}
	r.Tags = tags
	r.ReplaceTags = tags != nil
	canCopy := p.report.Profile.Copy
	if canCopy {
		_, err := p.driver.Copy(ctx, r)
		return err
	}

	// Upload an object with the tags that the copy would have.
	put := p.newPut("copy-tagged", "tagged", storage.Condition{})
	put.Tags = tags
	if tags == nil {
		put.Tags = sourceTags
	}
	_, err := p.putRequest(ctx, put)
	return err
}

// expectTags returns a step that checks the tags of an object, and their number in its attributes.
func (p *probe) expectTags(ctx context.Context, key string, want map[string]string) step {
	return func() (Verdict, string) {
		got, err := p.driver.Tags(ctx, &driver.GetRequest{Key: p.prefix + key, Length: -1})
		if err != nil {
			return inconclusive("reading tags", err)
		}
		if !maps.Equal(want, got) {
			return Ignored, fmt.Sprintf("the object has the tags %q and not %q", got, want)
		}

		attrs, err := p.head(ctx, key)
		if err != nil {
			return inconclusive("reading the attributes", err)
		}
		if attrs.TagCount != len(want) {
			return Ignored, fmt.Sprintf("the attributes count %d tags and not %d", attrs.TagCount, len(want))
		}
		return Enforced, ""
	}
}

// checkLegalHold checks that the server refuses to remove a version with a legal hold. Only a
// bucket that was made with object lock can pass.
func checkLegalHold(ctx context.Context, p *probe) (Verdict, string) {
	r := p.newPut("held", "held", storage.Condition{})
	r.LegalHold = true
	p.heldKey = r.Key // releaseHold ends the hold of this object
	attrs, err := p.putRequest(ctx, r)
	if err != nil {
		return inconclusive("a write with a legal hold", err)
	}
	if attrs.Version == "" {
		return Ignored, "the object was stored without a version"
	}

	// While the hold is on, the server must refuse this removal.
	remove := func() error {
		return p.driver.Delete(ctx, &driver.DeleteRequest{Key: r.Key, Version: attrs.Version})
	}

	// The version must resist a removal until the hold has ended.
	return runSteps(
		p.expectAttrs(ctx, "held", func(attrs *storage.Attrs) string {
			if !attrs.LegalHold {
				return "the object was stored without the hold"
			}
			return ""
		}),
		expectFailure("removing the version", "the version was removed", remove, storage.Locked),
		expectSuccess("ending the hold", func() error { return p.releaseHold(ctx) }),
		expectSuccess("removing the version", remove),
	)
}

// releaseHold ends the legal hold that checkLegalHold has set, if there is one.
func (p *probe) releaseHold(ctx context.Context) error {
	if p.heldKey == "" {
		return nil
	}
	// Without the field LegalHold, the request ends the hold.
	err := p.driver.SetLegalHold(ctx, &driver.ChangeRequest{Key: p.heldKey})
	if err != nil {
		return err
	}
	p.heldKey = ""
	return nil
}
