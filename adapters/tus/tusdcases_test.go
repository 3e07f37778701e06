package tus

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
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

// tusdCases reads the cases of these files of tusd's package handler, which are its test functions and subtests. It
// leaves out those whose names skip selects.
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
		for _, declaration := range parsed.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if ok && strings.HasPrefix(function.Name.Name, "Test") {
				r.read(function.Name.Name, function.Body)
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

// read reads the case with this name from the body of its function. Each call of SubTest in it is a case of its own.
func (r *caseReader) read(name string, body *ast.BlockStmt) {
	if r.skip(name) {
		return
	}
	c := &tusdCase{name: name}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if subName, function := subTest(n); function != nil {
				r.read(name+"/"+subName, function.Body)
				return false
			}
			c.readCall(r, n)
		case *ast.CompositeLit:
			fields := r.fields(n)
			switch typeName(n) {
			case "Config": // of the handler
				c.maxSize = r.number(fields["MaxSize"])
			case "httpTest": // a request and what is expected of its response
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

// subTest returns the name and the function in a call of tusd's function SubTest(t, name, function). The function is nil
// if call is another call.
func subTest(call *ast.CallExpr) (name string, function *ast.FuncLit) {
	if functionName(call) != "SubTest" {
		return "", nil
	}
	function, _ = call.Args[2].(*ast.FuncLit)
	literal, ok := call.Args[1].(*ast.BasicLit)
	if !ok {
		return "computed", function
	}
	name, _ = strconv.Unquote(literal.Value)
	return name, function
}

// readCall reads a call that sets up tusd's mocked store. These calls say which uploads the store has:
//
//	store.EXPECT().GetUpload(ctx, "id")
//	upload.EXPECT().GetInfo(ctx).Return(FileInfo{Size: 10}, nil)
func (c *tusdCase) readCall(r *caseReader, call *ast.CallExpr) {
	method, receiver := methodOf(call)
	switch {
	case method == "GetUpload":
		id := r.text(call.Args[1])
		isID := func(u *tusdUpload) bool { return u.id == id }
		if slices.ContainsFunc(c.uploads, isID) {
			// The case asks for the upload again. The state of the upload then follows from the earlier requests.
			return
		}
		c.uploads = append(c.uploads, &tusdUpload{id: id})
	case method == "Return" && receiver == "GetInfo" && len(c.uploads) > 0:
		info, ok := call.Args[0].(*ast.CompositeLit)
		last := c.uploads[len(c.uploads)-1]
		if ok && !last.known {
			last.read(r, r.fields(info))
		}
	}
}

// methodOf returns the method that is called, and the method whose result it is called on. For a().b(), these are b and
// a.
func methodOf(call *ast.CallExpr) (method, receiver string) {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return "", ""
	}
	if inner, ok := selector.X.(*ast.CallExpr); ok {
		receiver, _ = methodOf(inner)
	}
	return selector.Sel.Name, receiver
}

// read reads the upload from the fields of a literal of handler.FileInfo.
func (u *tusdUpload) read(r *caseReader, info map[string]ast.Expr) {
	u.known = true
	u.size = r.number(info["Size"])
	u.offset = r.number(info["Offset"])
	u.deferred = isTrue(info["SizeIsDeferred"])
	u.partial = isTrue(info["IsPartial"])
	u.final = isTrue(info["IsFinal"])
	u.metadata = r.texts(info["MetaData"])
	if list, ok := info["PartialUploads"].(*ast.CompositeLit); ok {
		for _, e := range list.Elts {
			u.pieces = append(u.pieces, r.text(e))
		}
	}
}

// request returns the request that a literal of tusd's type httpTest describes by its fields. test
// is the body of the function that contains the literal.
func (r *caseReader) request(test *ast.BlockStmt, fields map[string]ast.Expr) tusdRequest {
	status, ok := fields["Code"].(*ast.SelectorExpr) // http.StatusOK, for example
	require.True(r.t, ok)
	req := tusdRequest{
		method: r.text(fields["Method"]),
		id:     r.text(fields["URL"]),
		header: r.texts(fields["ReqHeader"]),
		code:   statusNamed(r.t, status.Sel.Name),
		want:   r.texts(fields["ResHeader"]),
	}
	req.readBody(r, test, fields["ReqBody"])
	return req
}

// readBody reads the body of a request, which e describes in one of these ways:
//
//	strings.NewReader("hello")
//	bytes.NewReader(make([]byte, 10))
//	io.NopCloser(strings.NewReader("hello"))
//	body // a variable that test assigns one of the above
func (q *tusdRequest) readBody(r *caseReader, test *ast.BlockStmt, e ast.Expr) {
	switch e := e.(type) {
	case nil:
	case *ast.Ident:
		if e.Name != "nil" {
			q.readBody(r, test, assigned(test, e.Name))
		}
	case *ast.CallExpr:
		arg := e.Args[0]
		method, _ := methodOf(e)
		switch {
		case method == "NopCloser": // net/http cannot tell the length of its result
			q.readBody(r, test, arg)
			q.unsized = true
		case functionName(arg) == "make":
			q.body = make([]byte, r.number(arg.(*ast.CallExpr).Args[1]))
		default:
			q.body = []byte(r.text(arg))
		}
	default:
		require.Fail(r.t, "a body of another kind")
	}
}

// functionName returns the name of the function of the same package or builtin that e calls. It is "" if e is no such
// call.
func functionName(e ast.Expr) string {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return ""
	}
	function, ok := call.Fun.(*ast.Ident)
	if !ok {
		return ""
	}
	return function.Name
}

// assigned returns a value that the block assigns to the variable with this name.
func assigned(block *ast.BlockStmt, name string) (value ast.Expr) {
	ast.Inspect(block, func(n ast.Node) bool {
		assignment, ok := n.(*ast.AssignStmt)
		if !ok || len(assignment.Lhs) != 1 {
			return value == nil
		}
		if variable, ok := assignment.Lhs[0].(*ast.Ident); ok && variable.Name == name {
			value = assignment.Rhs[0]
		}
		return value == nil
	})
	return value
}

// typeName returns the name of a literal's type if the type is in the same package.
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

// text returns the value of a string literal, or "" if e is nil.
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

// number returns the value of an integer literal, or 0 if e is nil.
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

// texts returns the entries of a map literal of strings, or none if e is no literal.
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
