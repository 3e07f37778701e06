package sqlrecords

import (
	"context"
	"strings"
	"time"

	"github.com/omnibucket/storage/uploads"
)

func (r *records) List(ctx context.Context, f uploads.Filter, after string, limit int) ([]*uploads.File, string, error) {
	where, values := r.dialect.matching(f)
	values = append(append([]any{after}, values...), limit+1)
	found, err := query(ctx, r, "List", selectAfter(columns, where), values, scan)
	page, next := cut(found, limit, func(f *uploads.File) string { return f.ID })
	return page, next, err
}

func (r *records) IDs(ctx context.Context, after string, limit int) ([]string, string, error) {
	found, err := query(ctx, r, "IDs", selectAfter("id", ""), []any{after, limit + 1}, func(from row) (id string, err error) {
		return id, from.Scan(&id)
	})
	page, next := cut(found, limit, func(id string) string { return id })
	return page, next, err
}

func (r *records) Expired(ctx context.Context, now time.Time, limit int) ([]*uploads.File, error) {
	const statement = "SELECT " + columns + " FROM omnibucket_files WHERE expires <= ? ORDER BY expires LIMIT ?"
	return query(ctx, r, "Expired", statement, []any{r.dialect.time(now), limit}, scan)
}

// selectAfter selects records. Its first value is the ID after which it starts, and
// its last is how many rows to read.
func selectAfter(columns, where string) string {
	return "SELECT " + columns + " FROM omnibucket_files WHERE id > ?" + where + " ORDER BY id LIMIT ?"
}

// query reads a page. Callers ask for one row more, to know whether there is another
// page.
func query[T any](ctx context.Context, r *records, op, statement string, values []any, scan func(row) (T, error)) ([]T, error) {
	rows, err := r.db.QueryContext(ctx, r.dialect.bind(statement), values...)
	if err != nil {
		return nil, readError(ctx, op, err)
	}
	defer func() { _ = rows.Close() }()
	var page []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, readError(ctx, op, err)
		}
		page = append(page, one)
	}
	if err := rows.Err(); err != nil {
		return nil, readError(ctx, op, err)
	}
	return page, nil
}

// cut removes the extra row. next is the key after which the next page starts; "": there is none.
func cut[T any](found []T, limit int, key func(T) string) (page []T, next string) {
	if len(found) <= limit {
		return found, ""
	}
	return found[:limit], key(found[limit-1])
}

// matching returns [uploads.Filter.Matches] in SQL.
func (d Dialect) matching(f uploads.Filter) (where string, values []any) {
	var b strings.Builder
	and := func(condition string, value any) {
		b.WriteString(" AND " + condition)
		values = append(values, value)
	}
	b.WriteString(" AND expires IS NULL")
	if f.Purpose != "" {
		and("purpose = ?", f.Purpose)
	}
	if f.User != "" {
		and("uploaded_by = ?", f.User)
	}
	if !f.From.IsZero() {
		and("created >= ?", d.bound(f.From))
	}
	if !f.To.IsZero() {
		and("created < ?", d.bound(f.To))
	}
	return b.String(), values
}
