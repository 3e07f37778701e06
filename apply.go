package storage

// each has every option write into its request, and refuses one that is nil.
func each[O any](s *settings, opts []O, apply func(O)) {
	for _, o := range opts {
		if any(o) == nil {
			s.fail("option", "must not be nil")
			continue
		}
		apply(o)
	}
}

// Apply reads options, for code that implements Uploader itself; a bad or
// second condition or a bad number is InvalidArgument. Size is -1 unless
// WithSize was given.
func (r *PutRequest) Apply(opts ...UploadOption) error {
	r.Size = -1
	each(&r.set, opts, func(o UploadOption) { o.applyUpload(r) })
	return r.set.failure()
}

// Apply reads options, for code that implements Downloader itself; a bad or
// second condition or a bad range is InvalidArgument. Without WithRange, Offset
// is 0 and Length -1.
func (r *GetRequest) Apply(opts ...DownloadOption) error {
	r.Length = -1
	each(&r.set, opts, func(o DownloadOption) { o.applyDownload(r) })
	return r.set.failure()
}

// ApplyAttrs reads options, for code that implements Attrser itself; a bad or
// second condition is InvalidArgument.
func (r *GetRequest) ApplyAttrs(opts ...AttrsOption) error {
	r.Length = -1
	each(&r.set, opts, func(o AttrsOption) { o.applyAttrs(r) })
	return r.set.failure()
}

// Apply reads options, for code that implements Lister itself; a bad number is
// InvalidArgument. Limit is WithLimit's, or 0.
func (r *ListRequest) Apply(opts ...ListOption) error {
	each(&r.set.settings, opts, func(o ListOption) { o.applyList(r) })
	r.Limit = r.set.limit
	return r.set.failure()
}

// Apply reads options, for code that implements Remover itself; a bad or second
// condition is InvalidArgument.
func (r *DeleteRequest) Apply(opts ...RemoveOption) error {
	each(&r.set, opts, func(o RemoveOption) { o.applyRemove(r) })
	return r.set.failure()
}

func (r *CopyRequest) apply(opts []CopyOption) error {
	each(&r.set, opts, func(o CopyOption) { o.applyCopy(r) })
	return r.set.failure()
}
