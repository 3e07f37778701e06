package tus

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A tusdCase is a case of tusd's tests of its package handler, read from their source: the uploads
// that tusd's mocked store is said to have, and the requests with the responses that are expected.
type tusdCase struct {
	name     string
	maxSize  int64 // of the handler; 0: none
	uploads  []*tusdUpload
	requests []tusdRequest
}

type tusdUpload struct {
	id       string
	known    bool // GetInfo says what follows
	size     int64
	offset   int64
	deferred bool
	partial  bool
	pieces   []string // of a final upload
	final    bool
	metadata map[string]string
}

type tusdRequest struct {
	method, id string
	header     map[string]string
	body       []byte
	unsized    bool // without Content-Length
	code       int
	want       map[string]string // headers of the response
}

// tusdCases reads the cases of tusd's files. skip says for which names there is no need.
func tusdCases(t *testing.T, files []string, skip func(name string) bool) []*tusdCase {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}",
		"github.com/tus/tusd/v2").Output()
	require.NoError(t, err)
	dir := filepath.Join(strings.TrimSpace(string(output)), "pkg", "handler")
	r := &caseReader{t: t, skip: skip}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, file), nil, 0)
		require.NoError(t, err)
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") {
				r.read(f.Name.Name, f.Body)
			}
		}
	}
	return r.cases
}

type caseReader struct {
	t     *testing.T
	skip  func(name string) bool
	cases []*tusdCase
}

// read reads the body of a case, and the cases in it.
func (r *caseReader) read(name string, body *ast.BlockStmt) {
	if r.skip(name) {
		return
	}
	c := &tusdCase{name: name}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if inner, f := subTest(n); f != nil {
				r.read(name+"/"+inner, f.Body)
				return false
			}
			c.readCall(r, n)
		case *ast.CompositeLit:
			switch fields := r.fields(n); typeName(n) {
			case "Config":
				c.maxSize = r.number(fields["MaxSize"])
			case "httpTest":
				c.requests = append(c.requests, r.request(body, fields))
				return false
			}
		}
		return true
	})
	if len(c.requests) > 0 {
		r.cases = append(r.cases, c)
	}
}

// subTest returns name and function of a call of SubTest.
func subTest(call *ast.CallExpr) (string, *ast.FuncLit) {
	if f, ok := call.Fun.(*ast.Ident); !ok || f.Name != "SubTest" {
		return "", nil
	}
	f, _ := call.Args[2].(*ast.FuncLit)
	if name, ok := call.Args[1].(*ast.BasicLit); ok {
		text, _ := strconv.Unquote(name.Value)
		return text, f
	}
	return "computed", f
}

// readCall reads which uploads there are: GetUpload with an ID, and then what GetInfo returns.
func (c *tusdCase) readCall(r *caseReader, call *ast.CallExpr) {
	method, receiver := methodOf(call)
	if method == "GetUpload" {
		id := r.text(call.Args[1])
		for _, u := range c.uploads {
			if u.id == id { // its second state follows from the requests
				return
			}
		}
		c.uploads = append(c.uploads, &tusdUpload{id: id})
	} else if method == "Return" && receiver == "GetInfo" && len(c.uploads) > 0 {
		info, ok := call.Args[0].(*ast.CompositeLit)
		if last := c.uploads[len(c.uploads)-1]; ok && !last.known {
			last.read(r, r.fields(info))
		}
	}
}

// methodOf returns the method that is called, and the method whose result it is called on.
func methodOf(call *ast.CallExpr) (method, on string) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	if inner, ok := selector.X.(*ast.CallExpr); ok {
		on, _ = methodOf(inner)
	}
	return selector.Sel.Name, on
}

func (u *tusdUpload) read(r *caseReader, info map[string]ast.Expr) {
	u.known = true
	u.size, u.offset = r.number(info["Size"]), r.number(info["Offset"])
	u.deferred, u.partial, u.final = isTrue(info["SizeIsDeferred"]), isTrue(info["IsPartial"]), isTrue(info["IsFinal"])
	u.metadata = r.texts(info["MetaData"])
	if list, ok := info["PartialUploads"].(*ast.CompositeLit); ok {
		for _, e := range list.Elts {
			u.pieces = append(u.pieces, r.text(e))
		}
	}
}

func (r *caseReader) request(body *ast.BlockStmt, fields map[string]ast.Expr) tusdRequest {
	q := tusdRequest{
		method: r.text(fields["Method"]),
		id:     r.text(fields["URL"]),
		header: r.texts(fields["ReqHeader"]),
		want:   r.texts(fields["ResHeader"]),
	}
	status, ok := fields["Code"].(*ast.SelectorExpr)
	require.True(r.t, ok)
	q.code = statusNamed(r.t, status.Sel.Name)
	q.readBody(r, body, fields["ReqBody"])
	return q
}

// readBody reads the body of a request: a reader of a literal, of zeros, or a variable with one.
func (q *tusdRequest) readBody(r *caseReader, block *ast.BlockStmt, e ast.Expr) {
	switch e := e.(type) {
	case nil:
	case *ast.Ident:
		if e.Name != "nil" {
			q.readBody(r, block, assigned(block, e.Name))
		}
	case *ast.CallExpr:
		method, _ := methodOf(e)
		switch {
		case method == "NopCloser": // hides the length
			q.readBody(r, block, e.Args[0])
			q.unsized = true
		case typeOf(e.Args[0]) == "make":
			q.body = make([]byte, r.number(e.Args[0].(*ast.CallExpr).Args[1]))
		default:
			q.body = []byte(r.text(e.Args[0]))
		}
	default:
		require.Fail(r.t, "a body of another kind")
	}
}

// typeOf returns the type of a call of one of tusd's constructors, which have the names of their types.
func typeOf(e ast.Expr) string {
	if call, ok := e.(*ast.CallExpr); ok {
		if f, ok := call.Fun.(*ast.Ident); ok {
			return f.Name
		}
	}
	return ""
}

// assigned returns what a variable is assigned.
func assigned(block *ast.BlockStmt, name string) (value ast.Expr) {
	ast.Inspect(block, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == 1 {
			if id, ok := a.Lhs[0].(*ast.Ident); ok && id.Name == name {
				value = a.Rhs[0]
			}
		}
		return value == nil
	})
	return value
}

func typeName(c *ast.CompositeLit) string {
	name, _ := c.Type.(*ast.Ident)
	if name == nil {
		return ""
	}
	return name.Name
}

// fields returns the values of a literal by the names of its fields.
func (r *caseReader) fields(c *ast.CompositeLit) map[string]ast.Expr {
	fields := map[string]ast.Expr{}
	for _, e := range c.Elts {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			if name, ok := pair.Key.(*ast.Ident); ok {
				fields[name.Name] = pair.Value
			}
		}
	}
	return fields
}

func (r *caseReader) text(e ast.Expr) string {
	if e == nil {
		return ""
	}
	literal, ok := e.(*ast.BasicLit)
	require.True(r.t, ok, "%T in place of a text", e)
	text, err := strconv.Unquote(literal.Value)
	require.NoError(r.t, err)
	return text
}

func (r *caseReader) number(e ast.Expr) int64 {
	if e == nil {
		return 0
	}
	literal, ok := e.(*ast.BasicLit)
	require.True(r.t, ok, "%T in place of a number", e)
	n, err := strconv.ParseInt(literal.Value, 10, 64)
	require.NoError(r.t, err)
	return n
}

func (r *caseReader) texts(e ast.Expr) map[string]string {
	texts := map[string]string{}
	if literal, ok := e.(*ast.CompositeLit); ok {
		for _, e := range literal.Elts {
			pair := e.(*ast.KeyValueExpr)
			texts[r.text(pair.Key)] = r.text(pair.Value)
		}
	}
	return texts
}

func isTrue(e ast.Expr) bool {
	name, ok := e.(*ast.Ident)
	return ok && name.Name == "true"
}

// statusNamed returns the status of a constant of net/http.
func statusNamed(t *testing.T, name string) int {
	t.Helper()
	for status := 100; status < 600; status++ {
		text := strings.NewReplacer(" ", "", "-", "", "'", "").Replace(http.StatusText(status))
		if text != "" && strings.EqualFold("Status"+text, name) {
			return status
		}
	}
	require.Fail(t, "no such status", name)
	return 0
}
