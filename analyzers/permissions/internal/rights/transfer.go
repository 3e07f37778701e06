package rights

import "golang.org/x/tools/go/ssa"

// These requirements have the operations for package transfer and for layers. An analysis of the code
// of package transfer could not find out which operations belong to which option.
var (
	stored = append(names("download", "download-missing", "upload-if-revision"), put...)
	// put has the operations of a job that stores files, and does not look at the files of the
	// destination.
	put = names(
		"list", "upload", "upload-over", "upload-if-absent", "upload-if-absent-lost", "upload-parts",
		"upload-parts-failed",
	)
	removed = names("remove", "remove-if-revision", "remove-all")
	resumed = names("upload-resumed", "abort-upload")
	locked  = names(
		"upload-with-retention", "upload-with-legal-hold", "see-retention", "see-legal-hold", "set-retention",
		"set-legal-hold",
	)
	// transferUp is for a job with a directory as the source. Such a job copies no objects inside a
	// provider, except with WithBackup. It adds tags only with WithRule.
	transferUp = &requirement{always: stored, with: map[string][]string{
		"WithBackup": names("tags", "remove"),
		"WithDelete": removed,
		"WithMove":   names("remove"),
		"WithLocks":  locked,
		"WithResume": resumed,
		"WithRule":   names("upload-with-tags"),
	}}
	// Between buckets, the job may store and remove a small object, to test whether the two buckets
	// are the same one. It also removes the version if that is permitted. The right to do so is not
	// among these operations, because it would permit the job to erase the history of other objects.
	// The tags of objects are read only from the source, or by WithBackup. A job with WithMove looks
	// at an object of its destination only if the object is an hour newer, which is so if an earlier
	// job was interrupted. The operation upload-if-absent-lost has the right to do so.
	transferTo = &requirement{
		plain:   append(names("copy", "copy-with-properties"), stored...),
		always:  append(names("upload-with-tags", "remove"), put...),
		instead: map[string][]string{"WithMove": nil},
		with: map[string][]string{
			"WithBackup": names("download", "tags"),
			"WithDelete": removed,
			"WithLocks":  locked,
			"WithResume": resumed,
			"WithRule":   names("copy-with-tags", "copy-without-tags"),
		},
	}
	transferFrom = &requirement{
		always: names("list", "download", "download-missing", "tags"),
		with:   fromSource,
	}
	// transferDown is for a job with a directory as the destination, which has no tags.
	transferDown = &requirement{
		always: names("list", "download", "download-missing"),
		with:   fromSource,
	}
	// A move may store a small object at its source, to learn whether the two ends are one place. If
	// that is denied, it copies objects again that both ends have.
	fromSource = map[string][]string{
		"WithMove":  names("remove", "remove-if-revision"),
		"WithLocks": names("see-retention", "see-legal-hold", "download-version"),
	}
	// Expire stores a small object to read the clock of the store.
	expire = &requirement{always: names(
		"upload", "list", "download", "tags", "remove", "remove-if-revision", "remove-all", "list-versions", "remove-version",
		"list-uploads", "abort-upload",
	)}
	transferRemove = &requirement{always: names("list", "remove", "remove-if-revision", "remove-all")}
	restoreAt      = &requirement{always: names(
		"list", "list-versions", "download", "download-version", "copy", "copy-tagged", "upload-over", "remove",
		"remove-if-revision", "restore",
	)}
	journal = &requirement{always: names(
		"download", "download-missing", "upload", "upload-over", "upload-if-absent", "upload-if-absent-lost",
		"upload-if-revision", "remove",
	)}
	lease = &requirement{always: names("download", "download-missing", "upload-if-absent", "upload-if-absent-lost",
		"upload-if-revision")}
	repair = &requirement{always: append(names("copy", "copy-tagged", "upload-with-tags", "tags", "remove",
		"remove-if-revision", "remove-all"), stored...)}
)

// addSync adds the rights that a call of transfer.Sync needs on its source and its destination. If one of
// them is a local directory, it needs none, and the other needs fewer: transferUp or transferDown.
func (d *deriver) addSync(f *ssa.Function, site ssa.CallInstruction, options ssa.Value) {
	// The arguments are ctx, the destination, the source and more.
	args := site.Common().Args
	dst := transferTo
	src := transferFrom
	if d.isDirectory(args[1]) {
		src = transferDown
	}
	if d.isDirectory(args[2]) {
		dst = transferUp
	}
	d.add(f, site, args[1], dst, "", options)
	d.add(f, site, args[2], src, "", options)
}

// isDirectory reports whether an end of a transfer is always a directory.
func (d *deriver) isDirectory(end ssa.Value) bool {
	origins := d.graph.Trace(end, "")
	for _, o := range origins {
		if call, ok := o.Value.(*ssa.Call); !ok || calleeName(call.Common()) != "storage/transfer.Dir" {
			return false
		}
	}
	return len(origins) > 0
}
