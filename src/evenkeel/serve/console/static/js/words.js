// Every word that the console shows, in both languages.
const WORDS = {
  skip: ["Skip to content", "跳到正文"],
  chat: ["Chat", "对话"],
  operations: ["Operations", "运行状况"],
  sessions: ["Sessions", "会话列表"],
  language: ["Switch to Chinese", "切换到英文"],
  theme: ["Light or dark", "切换明暗"],
  log_out: ["Log out", "退出"],
  log_in: ["Log in", "登录"],
  register: ["Create account", "注册"],
  to_register: ["No account yet? Create one", "还没有账号？注册一个"],
  to_log_in: ["Have an account? Log in", "已有账号？登录"],
  set_up: ["Set up the first administrator", "设置首个管理员"],
  set_up_why: ["This link works once. Choose a name, and a password that nobody else knows.", "此链接只能使用一次。请选择用户名和只有您知道的密码。"],
  username: ["User name", "用户名"],
  password: ["Password", "密码"],
  new_chat: ["New chat", "新对话"],
  untitled: ["New chat", "新对话"],
  remove: ["Delete", "删除"],
  remove_sure: ["Delete this chat and everything in it?", "删除此对话及其全部内容？"],
  send: ["Send", "发送"],
  stop: ["Stop", "停止"],
  message: ["Message", "消息"],
  ask: ["Ask something", "输入消息"],
  hint: ["Enter sends · Shift+Enter breaks the line · Esc stops", "Enter 发送 · Shift+Enter 换行 · Esc 停止"],
  empty: ["Ask something. The answer goes on even if you close this page.", "提问吧。即使关闭页面，回答也会继续生成。"],
  loading: ["Loading …", "加载中……"],
  queued: ["Waiting for the answer before it …", "排队等待上一个回答……"],
  reasoning: ["Reasoning", "思考过程"],
  arguments: ["Arguments", "参数"],
  result: ["Result", "结果"],
  running: ["running", "执行中"],
  done: ["done", "完成"],
  failed: ["failed", "失败"],
  stopped: ["Stopped.", "已停止。"],
  cut_history: ["Older messages are not shown.", "未显示更早的消息。"],
  lost: ["Part of this answer is no longer stored; what is left is shown.", "此回答的一部分已不再保存，仅显示剩余部分。"],
  connecting: ["Connecting …", "连接中……"],
  offline: ["Offline: trying again", "已离线，正在重试"],
  fallback: ["Without WebSocket", "未使用 WebSocket"],
  forbidden_operations: ["Only administrators see figures.", "只有管理员可以查看指标。"],
  switches: ["Switches", "开关"],
  part: ["Part", "部件"],
  path: ["Path", "路径"],
  does: ["What it does", "做法"],
  database: ["Database", "数据库"],
  queues: ["Queues", "队列"],
  streams: ["Streams", "流连接"],
  latency: ["From question to first event, milliseconds", "从提问到首个事件（毫秒）"],
  events: ["Events a second", "每秒事件"],
  storage: ["Storage a second", "每秒存储操作"],
  process: ["Process memory, MiB", "进程内存（MiB）"],
  loop: ["Threads and tasks", "线程与任务"],
  figures: ["Figures", "指标"],
  tasks_waiting: ["tasks waiting", "等待的任务"],
  tasks_running: ["tasks running", "执行中的任务"],
  outbox_waiting: ["outbox", "发件箱"],
  writes_waiting: ["events to store", "待存事件"],
  sockets: ["WebSocket", "WebSocket"],
  sse: ["SSE", "SSE"],
  sessions_active: ["runs", "运行"],
  p50: ["P50", "P50"], p95: ["P95", "P95"], p99: ["P99", "P99"],
  published: ["published", "发布"],
  delivered: ["delivered", "送达"],
  statements: ["statements", "语句"],
  rows: ["rows written", "写入行"],
  backfill: ["back-fill reads", "回补读取"],
  memory: ["resident", "常驻"],
  threads: ["threads", "线程"],
  tasks: ["tasks", "协程任务"],
  lag: ["loop lag P99, ms", "事件循环延迟（毫秒）"],
  no_data: ["no data yet", "暂无数据"],
  network: ["The server did not answer.", "服务器没有响应。"],
};

let index = (localStorage.getItem("evenkeel.language") || navigator.language || "en").startsWith("zh") ? 1 : 0;

export const word = (key) => (WORDS[key] || [key, key])[index];
export const language = () => (index ? "zh-CN" : "en-US");

export function switchLanguage() {
  index = 1 - index;
  localStorage.setItem("evenkeel.language", language());
  translate();
}

export function translate(root = document) {
  document.documentElement.lang = index ? "zh-CN" : "en";
  for (const node of root.querySelectorAll("[data-word]")) node.textContent = word(node.dataset.word);
  for (const node of root.querySelectorAll("[data-word-label]")) {
    node.setAttribute("aria-label", word(node.dataset.wordLabel));
    node.title = word(node.dataset.wordLabel);
  }
}
