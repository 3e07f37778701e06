package s3probe

import (
	"context"
	"fmt"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

// Each check of a condition sends one request whose condition is false, which must be refused and
// change nothing. It also sends one whose condition is true, which must succeed. Then it sends
// several requests at the same time, of which only one may succeed, because a condition that is not
// atomic is useless. Operations are checked separately, because a server may support a header on
// only some of them.

// checkCreate checks that a put with the condition Absent never replaces an object, even if several
// puts are concurrent.
func checkCreate(ctx context.Context, p *probe) (Verdict, string) {
	create := func(key, text string) error {
		_, err := p.put(ctx, key, text, storage.Condition{Absent: true})
		return err
	}
	return runRaces(writeRaces,
		expectSuccess("the first create", func() error { return create("create", "old") }),
		expectRefusal("the second create", func() error { return create("create", "new") }),
		p.expectObject(ctx, "create", "old"),
		repeatRace(writeRaces, func(round int) (Verdict, string) {
			return expectOneWinner("concurrent creates", func(i int) error {
				return create(fmt.Sprint("create-race-", round), fmt.Sprint(i))
			})
		}),
	)
}

// revisions stores the text "old" under key and returns its revision. It also returns the revision
// of another object, for conditions that must be false.
func (p *probe) revisions(ctx context.Context, key string) (current, wrong string, err error) {
	object, err := p.put(ctx, key, "old", storage.Condition{})
	if err != nil {
		return "", "", err
	}
	other, err := p.put(ctx, key+"-other", "other content", storage.Condition{})
	if err != nil {
		return "", "", err
	}
	return object.Revision, other.Revision, nil
}

// checkUpdate checks that a put with the condition Revision replaces no other revision and creates
// no object.
func checkUpdate(ctx context.Context, p *probe) (Verdict, string) {
	current, wrong, err := p.revisions(ctx, "update")
	if err != nil {
		return inconclusive("writing", err)
	}
	// update puts the text if the object has the given revision.
	update := func(key, text, revision string) error {
		_, err := p.put(ctx, key, text, storage.Condition{Revision: revision})
		return err
	}

	// The text "old" must survive a false condition, and be replaced under a true one.
	return runRaces(writeRaces,
		expectRefusal("an update of another revision", func() error { return update("update", "new", wrong) }),
		p.expectObject(ctx, "update", "old"),
		expectRefusal("an update of a missing object", func() error { return update("update-missing", "new", current) }),
		p.expectNoObject(ctx, "update-missing"),
		expectSuccess("an update of this revision", func() error { return update("update", "new", current) }),
		p.expectObject(ctx, "update", "new"),
		p.repeatOver(ctx, writeRaces, "update-race", func(old string) (Verdict, string) {
			return expectOneWinner("concurrent updates of one revision", func(i int) error {
				return update("update-race", fmt.Sprint(i), old)
			})
		}),
	)
}

// checkBoth checks the conditions Absent and Revision for an operation other than a put, and then
// runs the races. write runs the operation, which must store the text "new" under the key.
func (p *probe) checkBoth(
	ctx context.Context, key string, write func(key string, condition storage.Condition) error, races ...step,
) (Verdict, string) {
	current, wrong, err := p.revisions(ctx, key)
	if err != nil {
		return inconclusive("writing", err)
	}
	ifAbsent := storage.Condition{Absent: true}
	ifCurrent := storage.Condition{Revision: current}
	ifWrong := storage.Condition{Revision: wrong}
	steps := []step{
		expectRefusal("a create of an existing object", func() error { return write(key, ifAbsent) }),
		p.expectObject(ctx, key, "old"),
		expectRefusal("an update of another revision", func() error { return write(key, ifWrong) }),
		p.expectObject(ctx, key, "old"),
		expectSuccess("a create of a missing object", func() error { return write(key+"-new", ifAbsent) }),
		expectSuccess("an update of this revision", func() error { return write(key, ifCurrent) }),
		p.expectObject(ctx, key, "new"),
	}
	return runRaces(writeRaces, append(steps, races...)...)
}

// checkComplete checks the conditions Absent and Revision of the request that completes a multipart
// upload, first with one request at a time and then in races.
func checkComplete(ctx context.Context, p *probe) (Verdict, string) {
	upload := func(key string, condition storage.Condition) error {
		_, err := p.upload(ctx, p.newPut(key, "new", condition), "new")
		return err
	}

	// Each race of creates has a key of its own, and each race of updates has a new revision of one key.
	raceCreates := func(round int) (Verdict, string) {
		key := fmt.Sprint("complete-create-race-", round)
		return p.raceCompletions(ctx, "concurrent creates", key, storage.Condition{Absent: true})
	}
	const updatedKey = "complete-update-race"
	raceUpdates := func(revision string) (Verdict, string) {
		condition := storage.Condition{Revision: revision}
		return p.raceCompletions(ctx, "concurrent updates of one revision", updatedKey, condition)
	}
	return p.checkBoth(
		ctx, "complete", upload,
		repeatRace(writeRaces, raceCreates),
		p.repeatOver(ctx, writeRaces, updatedKey, raceUpdates),
	)
}

// checkRefusedUpload checks that a false condition does not abort an upload. It completes the upload
// with a false condition, which must fail, and then without a condition, which must succeed.
func checkRefusedUpload(ctx context.Context, p *probe) (Verdict, string) {
	r := p.newPut("first", "new", storage.Condition{Absent: true})
	complete, err := p.prepareUpload(ctx, r, textPart("new"))
	if err != nil {
		return inconclusive("beginning an upload", err)
	}

	_, err = complete()
	if err == nil {
		// The server ignored the condition, which another check reports.
		return Enforced, ""
	}
	if storage.CodeOf(err) != storage.PreconditionFailed {
		return inconclusive("completing an upload", err)
	}

	// The next call of complete sends no condition, because it reads r.Condition.
	r.Condition = storage.Condition{}
	if _, err := complete(); err != nil {
		return Ignored, "the refusal aborted the upload: " + shortError(err)
	}
	return Enforced, ""
}

// checkRemove checks that a delete with the condition Revision removes no other revision.
func checkRemove(ctx context.Context, p *probe) (Verdict, string) {
	current, wrong, err := p.revisions(ctx, "remove")
	if err != nil {
		return inconclusive("writing", err)
	}
	remove := func(key, revision string) error {
		return p.driver.Delete(ctx, &driver.DeleteRequest{
			Key:       p.prefix + key,
			Condition: storage.Condition{Revision: revision},
		})
	}
	// The object must survive a false condition, and be removed under a true one.
	return runRaces(deleteRaces,
		expectRefusal("a delete of another revision", func() error { return remove("remove", wrong) }),
		p.expectObject(ctx, "remove", "old"),
		expectSuccess("a delete of this revision", func() error { return remove("remove", current) }),
		p.expectNoObject(ctx, "remove"),
		p.repeatOver(ctx, deleteRaces, "remove-race", func(old string) (Verdict, string) {
			return p.raceDeletes(ctx, "remove-race", func() error { return remove("remove-race", old) })
		}),
	)
}

// writeAndCopy stores the object "source" with the text "new", and copies it to a key.
func (p *probe) writeAndCopy(ctx context.Context, key string, condition storage.Condition) error {
	attrs, err := p.put(ctx, "source", "new", storage.Condition{})
	if err != nil {
		return err
	}
	return p.copy(ctx, attrs.Revision, key, condition)
}

// checkCopy checks that the server can copy an object.
func checkCopy(ctx context.Context, p *probe) (Verdict, string) {
	return runSteps(
		expectSuccess("a copy", func() error { return p.writeAndCopy(ctx, "copy", storage.Condition{}) }),
		p.expectObject(ctx, "copy", "new"),
	)
}

// checkCopyConditions checks the conditions for the target of a copy.
func checkCopyConditions(ctx context.Context, p *probe) (Verdict, string) {
	write := func(key string, condition storage.Condition) error { return p.writeAndCopy(ctx, key, condition) }
	return p.checkBoth(ctx, "copy-onto", write, func() (Verdict, string) { return p.raceCopies(ctx) })
}

// checkCompose checks that the server can copy an object as a part, which may be small because it
// is the last.
func checkCompose(ctx context.Context, p *probe) (Verdict, string) {
	return runSteps(
		expectSuccess("writing", func() error {
			_, err := p.put(ctx, "source", "new", storage.Condition{})
			return err
		}),
		expectSuccess("a copied part", func() error {
			attrs, err := p.head(ctx, "source")
			if err != nil {
				return err
			}
			return p.compose(ctx, attrs.Revision)
		}),
		p.expectObject(ctx, "compose", "new"),
	)
}

// checkPinnedParts checks that the server refuses to copy an object as a part if the request names
// a revision that the object does not have.
func checkPinnedParts(ctx context.Context, p *probe) (Verdict, string) {
	_, wrong, err := p.revisions(ctx, "source")
	if err != nil {
		return inconclusive("writing", err)
	}
	return runSteps(
		expectFailure("a part of another revision", "a part was copied of another revision",
			func() error { return p.compose(ctx, wrong) }, storage.Changed),
	)
}

// compose makes the object "compose" from one part, a copy of the given revision of the object
// "source".
func (p *probe) compose(ctx context.Context, revision string) error {
	source := p.source(revision)
	// The size is that of "old" and "new", the only contents that checks give to the source.
	source.Attrs = &storage.Attrs{Size: 3}
	_, err := p.driver.Compose(ctx, &driver.ComposeRequest{
		Key:        p.prefix + "compose",
		Sources:    []driver.ObjectRef{source},
		Properties: storage.Properties{ContentType: "text/plain"},
	})
	return err
}
