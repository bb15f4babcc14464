package mailtemplate

import (
	"slices"
	"strconv"
	"text/template/parse"
)

// Functions that the guard puts into templates. They are added
// after parsing, so that no template can name them.
const (
	funcPresent  = "_present"
	funcOptional = "_optional"
	funcVerbatim = "_verbatim"
)

// guard changes a parsed template so that
//   - no value is printed that is not there ("<no value>", "<nil>"),
//   - default may ask for a key that is missing, and everybody if AllowMissing,
//   - each call and each round of a loop writes, if only nothing: what is
//     written is counted, and bounded.
func (s Source) guard(tree *parse.Tree) {
	walk(tree.Root, func(n parse.Node) {
		switch n := n.(type) {
		case *parse.ActionNode:
			relax(n.Pipe, s.AllowMissing)
			requirePresent(n.Pipe)
		case *parse.IfNode:
			relax(n.Pipe, s.AllowMissing)
		case *parse.WithNode:
			relax(n.Pipe, s.AllowMissing)
		case *parse.TemplateNode:
			relax(n.Pipe, s.AllowMissing)
		case *parse.RangeNode:
			relax(n.Pipe, s.AllowMissing)
			countStep(n.List)
		}
	})
	countStep(tree.Root)
}

// walk visits the nodes of a list and all below, but not their pipelines.
func walk(list *parse.ListNode, visit func(parse.Node)) {
	if list == nil {
		return
	}
	for _, n := range list.Nodes {
		visit(n)
		if b := branch(n); b != nil {
			walk(b.List, visit)
			walk(b.ElseList, visit)
		}
	}
}

func branch(n parse.Node) *parse.BranchNode {
	switch n := n.(type) {
	case *parse.IfNode:
		return &n.BranchNode
	case *parse.WithNode:
		return &n.BranchNode
	case *parse.RangeNode:
		return &n.BranchNode
	}
	return nil
}

func countStep(list *parse.ListNode) {
	nothing := &parse.TextNode{NodeType: parse.NodeText, Pos: list.Pos}
	list.Nodes = slices.Insert(list.Nodes, 0, parse.Node(nothing))
}

// requirePresent puts a check of its value at the end of a pipeline that prints,
// or before the function that html/template insists on being the last, and takes
// apart.
func requirePresent(pipe *parse.PipeNode) {
	if len(pipe.Decl) > 0 {
		return
	}
	check := call(pipe.Pos, funcPresent, quoted(pipe.Pos, "{{"+pipe.String()+"}}"))
	end := len(pipe.Cmds)
	if last := pipe.Cmds[end-1]; isEscaper(last) {
		for i, arg := range last.Args[1:] {
			value := &parse.CommandNode{NodeType: parse.NodeCommand, Pos: arg.Position(), Args: []parse.Node{arg}}
			last.Args[i+1] = &parse.PipeNode{NodeType: parse.NodePipe, Pos: arg.Position(), Line: pipe.Line, Cmds: []*parse.CommandNode{value, check}}
		}
		if end--; end == 0 {
			return
		}
	}
	pipe.Cmds = slices.Insert(pipe.Cmds, end, check)
}

// isEscaper tells of functions that make text of anything, even of nothing.
func isEscaper(c *parse.CommandNode) bool {
	id, ok := c.Args[0].(*parse.IdentifierNode)
	return ok && (id.Ident == "html" || id.Ident == "js" || id.Ident == "urlquery")
}

// relax lets keys be missing that default asks for, or all of them.
func relax(pipe *parse.PipeNode, all bool) {
	if pipe == nil {
		return
	}
	for i, c := range pipe.Cmds {
		next := i+1 < len(pipe.Cmds) && isDefault(pipe.Cmds[i+1])
		if i == 0 && len(c.Args) == 1 && (all || next) {
			if fields := optional(c.Args[0]); fields != nil {
				c.Args = fields.Args
			}
		}
		for j, arg := range c.Args {
			if below, ok := arg.(*parse.PipeNode); ok {
				relax(below, all || isDefault(c))
			}
			// The first argument, if there are more, is a method: .Price "EUR".
			if fields := optional(arg); fields != nil && j > 0 && (all || isDefault(c)) {
				c.Args[j] = &parse.PipeNode{NodeType: parse.NodePipe, Pos: arg.Position(), Line: pipe.Line, Cmds: []*parse.CommandNode{fields}}
			}
		}
	}
}

func isDefault(c *parse.CommandNode) bool {
	id, ok := c.Args[0].(*parse.IdentifierNode)
	return ok && id.Ident == "default"
}

// optional makes _optional . "a" "b" of .a.b, and the like of $x.a.b. It returns
// nil for what has no fields.
func optional(n parse.Node) *parse.CommandNode {
	var from parse.Node
	var fields []string
	switch n := n.(type) {
	case *parse.FieldNode:
		from, fields = &parse.DotNode{NodeType: parse.NodeDot, Pos: n.Pos}, n.Ident
	case *parse.VariableNode:
		from, fields = &parse.VariableNode{NodeType: parse.NodeVariable, Pos: n.Pos, Ident: n.Ident[:1]}, n.Ident[1:]
	}
	if len(fields) == 0 {
		return nil
	}
	args := []parse.Node{from}
	for _, f := range fields {
		args = append(args, quoted(n.Position(), f))
	}
	return call(n.Position(), funcOptional, args...)
}

func call(pos parse.Pos, function string, args ...parse.Node) *parse.CommandNode {
	id := parse.NewIdentifier(function).SetPos(pos)
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: append([]parse.Node{id}, args...)}
}

func quoted(pos parse.Pos, s string) *parse.StringNode {
	return &parse.StringNode{NodeType: parse.NodeString, Pos: pos, Quoted: strconv.Quote(s), Text: s}
}
