package storage

// Apply reads options, for code that implements Uploader itself; a bad or
// second condition or a bad number is InvalidArgument. Size is -1 unless
// WithSize was given.
func (r *PutRequest) Apply(opts ...UploadOption) error {
	r.Size = -1
	for _, o := range opts {
		if o == nil {
			r.set.fail("option", "must not be nil")
			continue
		}
		o.applyUpload(r)
	}
	return r.set.err
}

// Apply reads options, for code that implements Downloader itself; a bad or
// second condition or a bad range is InvalidArgument. Without WithRange, Offset
// is 0 and Length -1.
func (r *GetRequest) Apply(opts ...DownloadOption) error {
	r.Length = -1
	for _, o := range opts {
		if o == nil {
			r.set.fail("option", "must not be nil")
			continue
		}
		o.applyDownload(r)
	}
	return r.set.err
}

// ApplyAttrs reads options, for code that implements Attrser itself; a bad or
// second condition is InvalidArgument.
func (r *GetRequest) ApplyAttrs(opts ...AttrsOption) error {
	r.Length = -1
	for _, o := range opts {
		if o == nil {
			r.set.fail("option", "must not be nil")
			continue
		}
		o.applyAttrs(r)
	}
	return r.set.err
}

// Apply reads options, for code that implements Lister itself; a bad number is
// InvalidArgument. Limit is WithLimit's, or 0.
func (r *ListRequest) Apply(opts ...ListOption) error {
	for _, o := range opts {
		if o == nil {
			r.set.fail("option", "must not be nil")
			continue
		}
		o.applyList(r)
	}
	r.Limit = r.set.limit
	return r.set.err
}

// Apply reads options, for code that implements Remover itself; a bad or second
// condition is InvalidArgument.
func (r *DeleteRequest) Apply(opts ...RemoveOption) error {
	for _, o := range opts {
		if o == nil {
			r.set.fail("option", "must not be nil")
			continue
		}
		o.applyRemove(r)
	}
	return r.set.err
}

func (r *CopyRequest) apply(opts []CopyOption) error {
	for _, o := range opts {
		if o == nil {
			r.set.fail("option", "must not be nil")
			continue
		}
		o.applyCopy(r)
	}
	return r.set.err
}
